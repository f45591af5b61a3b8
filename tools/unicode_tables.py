#!/usr/bin/env python3
"""Print src/expr/unicode.c: classes, scripts and case folding for regular expressions.

Categories and folding come from Python's unicodedata, scripts from Perl's; run it on a
system whose Unicode version is wanted, and format the result with clang-format.
"""
import subprocess
import sys
import unicodedata

SCRIPTS = """Arabic Armenian Bengali Bopomofo Braille Common Cyrillic Devanagari Ethiopic Georgian
Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam
Mongolian Myanmar Sinhala Tamil Telugu Thai Tibetan""".split()


def ranges_of(points):
    result = []
    for point in points:
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def categories():
    by_name = {}
    for point in range(0x110000):
        name = unicodedata.category(chr(point))
        if name not in ("Cn", "Cs"):
            by_name.setdefault(name, []).append(point)
    return {name: ranges_of(points) for name, points in sorted(by_name.items())}


def script(name):
    code = r"for (0..0x10ffff) { next if $_ >= 0xd800 && $_ <= 0xdfff; " \
        r"print qq($_\n) if chr($_) =~ /\p{Script=%s}/ }" % name
    out = subprocess.run(["perl", "-e", code], check=True, capture_output=True, text=True).stdout
    return ranges_of(int(line) for line in out.split())


def simple_fold(char):
    for folded in (char.casefold(), char.lower()):
        if len(folded) == 1:
            return folded
    return char


def orbits():
    groups = {}
    for point in range(0x110000):
        if 0xD800 <= point <= 0xDFFF:
            continue
        groups.setdefault(simple_fold(chr(point)), []).append(point)
    return {points[i]: points[(i + 1) % len(points)]
            for points in groups.values() if len(points) > 1 for i in range(len(points))}


def folds():
    """Ranges of one delta; delta 0 stands for neighbours that swap, the first of them at `first`."""
    following = sorted(orbits().items())
    result = []
    i = 0
    while i < len(following):
        point, after = following[i]
        j = i
        while (j + 1 < len(following) and following[j][0] == point + (j - i)
               and following[j + 1][0] == point + (j + 1 - i) and after == point + 1
               and following[j][1] - following[j][0] == (1 if (j - i) % 2 == 0 else -1)
               and following[j + 1][1] - following[j + 1][0] == (-1 if (j - i) % 2 == 0 else 1)):
            j += 1
        if j > i and (j - i) % 2 == 1:
            result.append((point, following[j][0], 0))
            i = j + 1
            continue
        j = i
        while (j + 1 < len(following) and following[j + 1][0] == following[j][0] + 1
               and following[j + 1][1] - following[j + 1][0] == after - point):
            j += 1
        result.append((point, following[j][0], after - point))
        i = j + 1
    return result


def gaps(ranges):
    """Pairs of the gap before a range and its length less one: small numbers, short lines."""
    numbers = []
    at = 0
    for first, last in ranges:
        numbers += [first - at, last - first]
        at = last + 1
    return numbers


def array(kind, name, numbers):
    print("%s %s[] = {" % (kind, name))
    print(", ".join(str(number) for number in numbers))
    print("};\n")


def main():
    print('/* Made by tools/unicode_tables.py from Unicode %s; do not edit. */'
          % unicodedata.unidata_version)
    print('#include "expr/regex_int.h"\n')
    names = []
    for prefix, tables in (("category", categories()),
                           ("script", {name: script(name) for name in SCRIPTS})):
        for name, ranges in tables.items():
            label = "%s_%s" % (prefix, name.lower())
            names.append((name, label))
            array("static const uint32_t", label, gaps(ranges))
    print("const struct weir_class_table weir_unicode_classes[] = {")
    for name, label in names:
        print('{ "%s", %s, WEIR_COUNT(%s) },' % (name, label, label))
    print("{ 0 },\n};\n")
    array("const int32_t", "weir_unicode_folds",
          [number for first, last, delta in folds() for number in (first, last - first, delta)])
    print("const size_t weir_unicode_fold_count = WEIR_COUNT(weir_unicode_folds) / 3;")
    return 0


if __name__ == "__main__":
    sys.exit(main())
