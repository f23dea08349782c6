"""Cache lines that one operation touches, from a memory trace of valgrind's lackey.

lines.py TRACE MARK: what lies between the two stores to the address MARK, in base 16 as in the
executable. Valgrind loads an executable at 0x108000, and puts the stack above 2^36.
"""

import sys


def main(trace: str, mark: str) -> None:
    marked = int(mark, 16) + 0x108000
    stores = 0
    lines: dict[str, set[int]] = {"code": set(), "stack": set(), "data": set()}
    with open(trace) as records:
        for record in records:
            fields = record.split()
            if len(fields) != 2 or fields[0] not in ("I", "L", "S", "M") or "," not in fields[1]:
                continue
            start, size = fields[1].split(",")
            address = int(start, 16)
            if fields[0] == "S" and address == marked:
                stores += 1
            elif stores == 1:
                kind = "code" if fields[0] == "I" else "stack" if address >> 36 else "data"
                lines[kind].update(range(address >> 6, (address + int(size) - 1 >> 6) + 1))
    if stores != 2:
        sys.exit("the marks are not in the trace")
    print(" ".join(f"{len(found):8}" for found in lines.values()))


if len(sys.argv) != 3:
    print("error: wanted is lines.py TRACE MARK", file=sys.stderr)
    sys.exit(2)
main(*sys.argv[1:])
