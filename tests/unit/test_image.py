"""How the image is built: with what, under which names, and out of which files."""

from pathlib import Path

import pytest
from tools import image
from tools.image import Builder, ImageError, find_builder
from tools.rootfs import GENERATED, Root


def found(*, installed: set[str], working: set[str], chosen: str | None = None) -> Builder:
    return find_builder(
        chosen=chosen,
        which=lambda name: f"/usr/bin/{name}" if name in installed else None,
        run=lambda command: 0 if command[0] in working else 1,
    )


def test_docker_without_its_daemon_does_not_hinder_the_next_builder():
    everything = {"docker", "podman", "buildah"}
    assert found(installed=everything, working=everything).name == "docker"
    assert found(installed={"docker", "buildah"}, working={"buildah"}).name == "buildah"
    assert found(installed=everything, working={"podman", "buildah"}).name == "podman"


def test_who_cannot_build_is_told_what_was_tried_and_what_to_do():
    with pytest.raises(
        ImageError, match=r"`docker info` fails; podman is not installed; buildah is not installed\. Install"
    ) as raised:
        found(installed={"docker"}, working=set())
    assert "daemon" in str(raised.value)
    for wrong in ("kaniko", "podman --root /x"):
        with pytest.raises(ImageError, match="must be docker, podman or buildah, and be installed"):
            found(installed={"docker", "kaniko"}, working={"docker"}, chosen=wrong)


def test_each_builder_gets_its_own_options_and_all_the_same_image():
    plain = Builder(("docker",))
    rooted = found(installed={"buildah"}, working=set(), chosen="buildah --root '/a b'")
    build = plain.build("localhost/x:1", arguments={"VERSION": "1"}, options=["--pull"])
    assert build == ["docker", "build", "--build-arg", "VERSION=1", "--pull", "--tag", "localhost/x:1", str(image.ROOT)]
    assert rooted.build("x:1", arguments={})[:5] == ["buildah", "--root", "/a b", "build", "--layers"]
    assert plain.save("x:1", Path("/i.tar")) == ["docker", "save", "--output", "/i.tar", "x:1"]
    assert rooted.save("x:1", Path("/i.tar"))[-1] == "docker-archive:/i.tar:x:1"
    assert "docker-archive" in Builder(("podman",)).save("x:1", Path("/i.tar"))


def test_the_dockerfile_copies_only_what_dockerignore_lets_through():
    allowed = {line[1:] for line in (image.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied: set[str] = set()
    for line in (image.ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == allowed
    assert all((image.ROOT / path).exists() for path in copied)


def test_files_behind_links_are_taken_with_every_link_on_the_way(tmp_path):
    source = tmp_path / "source"
    (source / "usr" / "lib").mkdir(parents=True)
    (source / "usr" / "lib" / "libc.so.1.2").write_bytes(b"library")
    (source / "usr" / "lib" / "libc.so").symlink_to("libc.so.1.2")
    (source / "lib").symlink_to("usr/lib")
    (source / "usr" / "lib" / "secret").write_bytes(b"not asked for")
    root = Root(tmp_path / "root")
    for _ in range(2):  # two files may need the same library
        root.take(source / "lib" / "libc.so")
    root.take(source / "missing")
    copy = tmp_path / "root" / source.relative_to("/")
    assert (copy / "lib").readlink() == Path("usr/lib")
    assert (copy / "lib" / "libc.so").readlink() == Path("libc.so.1.2")
    assert (copy / "lib" / "libc.so").read_bytes() == b"library"
    assert sorted(path.name for path in (copy / "usr" / "lib").iterdir()) == ["libc.so", "libc.so.1.2"]


@pytest.mark.parametrize(
    ("path", "generated"),
    [
        ("/x/kubernetes/client/models/v1_pod.py", True),
        ("/x/kubernetes/aio/client/api/core_v1_api.py", True),
        ("/x/kubernetes/aio/client/models/__init__.py", False),
        ("/x/kubernetes/aio/client/api_client.py", False),
        ("/x/kubernetes/aio/config/kube_config.py", False),
    ],
)
def test_only_generated_classes_of_the_kubernetes_client_may_be_left_out(path, generated):
    assert bool(GENERATED.search(path)) is generated
