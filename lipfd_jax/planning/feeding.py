"""What one processor core of a host can deliver, for comparison with what a slice takes."""

# Composites a second from one core: compressed lossless 2500x1000 pictures decoded by OpenCV (37 ms each),
# reading included. Two reading threads on two cores of a 2.x GHz server gave 50 to 60.
COMPOSITES_PER_CORE = 27.0
