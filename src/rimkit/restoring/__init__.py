"""Restoring images of any type and size: whole or in tiles, within a memory budget, in place.

`arrays` is the entry point for numpy (`rimkit.restore`); `denoiser`, `inpainter` and `upscaler`
handle one task each, all based on `restorer`.
"""
