"""Restoring images of any kind and size: whole or in tiles, in a given memory, in their place.

`arrays` is the way in for numpy (`rimkit.restore`); `denoiser`, `inpainter` and `upscaler` are one
for each task, all of them a `restorer`.
"""
