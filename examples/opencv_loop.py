"""Anonymise a camera or a file in an OpenCV loop.

    python examples/opencv_loop.py 0 safe.mp4                  # camera number 0, ctrl-C ends it
    python examples/opencv_loop.py examples/demo.mp4 safe.mp4

To look instead of write, replace the writer by cv2.imshow (it needs opencv-python in place of
opencv-python-headless).
"""

import sys

import cv2

import streamanon


def main(source: str, output: str) -> int:
    """Anonymise and return how many frames were written."""
    camera = source.isdecimal()
    capture = cv2.VideoCapture(int(source)) if camera else cv2.VideoCapture(source)
    size = (
        int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )
    fps = capture.get(cv2.CAP_PROP_FPS) or 30
    writer = cv2.VideoWriter(output, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    count = 0
    try:
        with streamanon.Anonymiser(streamanon.Config(method="warp")) as anonymiser:
            # live: each frame comes out before the next one goes in. A file can do better: without
            # it, a face that is found late is hidden in the half second before, too.
            for safe in anonymiser.frames(capture, live=camera):
                writer.write(safe)
                count += 1
    except KeyboardInterrupt:
        pass
    finally:
        writer.release()
        capture.release()
    return count


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python opencv_loop.py VIDEO_OR_CAMERA_NUMBER OUTPUT.mp4")
    print(f"{main(*sys.argv[1:])} frames written")
