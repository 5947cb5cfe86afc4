"""The files that a source reads: one by name, or those of a folder that match a pattern."""

from pathlib import Path

WILD = "*?["


def find(path: str, pattern: str) -> list[Path]:
    """``path`` where it is a file; else the files in folder ``path`` that match ``pattern``, by name."""
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        found = sorted(file for file in place.glob(pattern) if file.is_file())
        if not found:
            raise FileNotFoundError(
                f"{path}: no file in this folder matches data.pattern={pattern}; it has {_some(place)}"
            )
        return found
    if any(sign in path for sign in WILD):
        folder, _, name = path.rpartition("/")
        raise ValueError(
            f"{path}: data.path is a file or a folder, since DVC watches it whole; "
            f"for several files set data.path={folder or '.'} data.pattern={name}"
        )
    near = f"; {place.parent} has {_some(place.parent)}" if place.parent.is_dir() else ""
    raise FileNotFoundError(f"{path}: no such file or folder{near}. Set data.path=...")


def _some(folder, most=5):
    names = sorted(item.name for item in folder.iterdir())
    return (
        ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"
    )


def name_of(files: list[Path], path: str) -> str:
    """What was read, for people: the path, and how many files where there are several."""
    return f"{path} ({len(files)} files)" if len(files) > 1 else str(files[0])


def same_columns(columns: dict[Path, list[str]]) -> None:
    """ValueError that names the first file whose columns are not those of the first file (order is free)."""
    first, *others = columns
    for other in others:
        lacks = [name for name in columns[first] if name not in set(columns[other])]
        more = [name for name in columns[other] if name not in set(columns[first])]
        if lacks or more:
            words = [f"lacks {', '.join(lacks[:5])}"] * bool(lacks) + [f"adds {', '.join(more[:5])}"] * bool(
                more
            )
            raise ValueError(
                f"{other}: not the columns of {first}: it {' and '.join(words)}; "
                "mend the file, or leave it out by data.pattern"
            )
