"""The commands of `lipfd`, one module each with define_flags() and main(argv), and the flags they share."""
