"""The page where one watches the inference: `rimkit serve`."""
