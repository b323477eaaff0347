"""The paper's tables and figures, measured again, and results beyond them."""
