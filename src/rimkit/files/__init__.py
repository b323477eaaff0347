"""Image files in and out, and folders of them."""
