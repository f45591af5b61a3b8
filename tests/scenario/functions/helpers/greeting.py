TEXT = "from a package"
