"""Tools outside the flow of data: drawn clips for the demo, plans for TPU slices, rehearsal of a pod."""
