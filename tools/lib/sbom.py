#!/usr/bin/env python3
"""What is in an image, as SPDX 2.3: reads lines of package, version, architecture and home page, tabs between."""

import argparse
import datetime
import json
import sys
import uuid


def package(name: str, version: str, architecture: str, home: str) -> dict:
    return {
        "SPDXID": f"SPDXRef-{name.replace('+', '-')}-{architecture}",
        "name": name,
        "versionInfo": version,
        "homepage": home or "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={architecture}"}],
    }


def document(name: str, version: str, lines: list[str]) -> dict:
    packages = [package(*(line.rstrip("\n").split("\t") + [""] * 4)[:4]) for line in lines if line.strip()]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:uuid:{uuid.uuid4()}",
        "creationInfo": {"created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [f"Tool: peal-image-{version}"]},
        "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": each["SPDXID"]} for each in packages],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    json.dump(document(options.name, options.version, sys.stdin.readlines()), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
