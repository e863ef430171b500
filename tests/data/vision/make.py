"""Makes the pictures of the demo `vision`: photographs that scikit-image ships, cropped to squares of 96 x 96.

    pip install scikit-image==0.26.0
    python make.py
"""

import os

import numpy as np
import skimage

HERE = os.path.dirname(os.path.abspath(__file__))
# Top, left and side of the square.
PICTURES = {
    "astronaut": (skimage.data.astronaut, (0, 30, 400)),
    "chelsea": (skimage.data.chelsea, (0, 80, 300)),
    "coffee": (skimage.data.coffee, (0, 150, 400)),
    "camera": (lambda: skimage.color.gray2rgb(skimage.data.camera()), (0, 0, 512)),
}

for name, (load, (top, left, side)) in PICTURES.items():
    square = load()[top : top + side, left : left + side, :3]
    small = skimage.transform.resize(square, (96, 96), anti_aliasing=True)
    with open(os.path.join(HERE, name + ".ppm"), "wb") as file:
        file.write(b"P6\n96 96\n255\n" + np.round(small * 255).astype(np.uint8).tobytes())
