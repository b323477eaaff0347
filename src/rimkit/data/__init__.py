"""Data: BSDS300, folders of images, training patches."""
