"""What nothing else imports: drawn clips for the demo, plans for TPU slices, the rehearsal of a pod."""
