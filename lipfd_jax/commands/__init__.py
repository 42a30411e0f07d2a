"""The commands of lipfd, a module each: define_flags() and main(argv)."""
