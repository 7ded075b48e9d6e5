"""`python -m moonward`."""

from moonward.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
