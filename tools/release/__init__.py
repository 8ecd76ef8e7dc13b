"""What a release is made of, and whether what is here could be one."""
