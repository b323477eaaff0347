"""Reading and writing image files, and folders of them."""
