"""What the commands do: the part of the package that talks to terminals."""
