"""What the commands of ``mclab`` do, each imported only when it is asked for."""
