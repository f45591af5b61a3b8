#!/usr/bin/env python3
"""Write src/pattern/case_table.h from the Unicode data that Python carries.

  tools/gen_case_table.py > src/pattern/case_table.h
"""
import unicodedata


def ranges(deltas):
    """Runs of code points (every one, or every second one) that share a delta."""
    points = sorted(deltas)
    i = 0
    while i < len(points):
        best = i
        stride = 1
        for step in (1, 2):
            j = i
            while (j + 1 < len(points) and points[j + 1] == points[j] + step
                   and deltas[points[j + 1]] == deltas[points[i]]):
                j += 1
            if j > best:
                best, stride = j, step
        yield points[i], points[best], stride, deltas[points[i]]
        i = best + 1


def table(name, comment, deltas):
    print(f'/* {comment} */')
    print(f'static const struct case_range {name}[] = {{')
    for first, last, stride, delta in ranges(deltas):
        print(f'    {{ 0x{first:04x}, 0x{last:04x}, {stride}, {delta} }},')
    print('};\n')


lower, upper, special, fold = {}, {}, {}, {}
for c in range(0x110000):
    if 0xD800 <= c < 0xE000:
        continue
    char = chr(c)
    low, up, folded = char.lower(), char.upper(), char.casefold()
    if c < 0x10000:
        if len(low) == 1 and low != char:
            lower[c] = ord(low) - c
        if len(up) > 1:
            special[c] = up
        elif up != char:
            upper[c] = ord(up) - c
    simple = folded if len(folded) == 1 else low if len(low) == 1 else char
    if simple != char:
        fold[c] = ord(simple) - c

print(f'/* Written by tools/gen_case_table.py from Unicode {unicodedata.unidata_version}; do not edit. */')
print('#ifndef WEIR_PATTERN_CASE_TABLE_H\n#define WEIR_PATTERN_CASE_TABLE_H\n')
print('#include <stdint.h>\n\n/* clang-format off */')
print('/* Every stride-th code point from first to last maps to itself plus delta. */')
print('struct case_range {\n    uint32_t first;\n    uint32_t last;\n    int32_t stride;\n    int32_t delta;\n};\n')
table('lower_ranges', 'To lower case, one code point to one, basic plane.', lower)
table('upper_ranges', 'To upper case, one code point to one, basic plane.', upper)
table('fold_ranges', 'Simple case folding, all planes.', fold)
print('/* Upper case of more than one code point, as UTF-8. */')
print('static const struct case_special {\n    uint32_t point;\n    const char *upper;\n} upper_specials[] = {')
for c, up in sorted(special.items()):
    text = ''.join(f'\\x{b:02x}' for b in up.encode())
    print(f'    {{ 0x{c:04x}, "{text}" }},')
print('};\n/* clang-format on */\n\n#endif')
