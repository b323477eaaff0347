"""The paper's tables and figures, measured again, and what goes past them."""
