"""The web page for watching an inference: `rimkit serve`."""
