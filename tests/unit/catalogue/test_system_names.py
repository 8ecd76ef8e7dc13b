"""What operating systems are called, by how people name and tag their templates."""

import pytest

from proxmox_offerings.catalogue.system_names import readable_name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("debian-12-standard_12.7-1_amd64.tar.zst", "Debian 12"),
        ("debian-12.5.0-amd64-netinst", "Debian 12"),
        ("debian12-cloud", "Debian 12"),
        ("Debian-12-genericcloud-amd64-20240901-1857.qcow2", "Debian 12"),
        ("deb11-tpl", "Debian 11"),
        ("tpl-bookworm", "Debian 12"),
        ("debian-bullseye", "Debian 11"),
        ("debian-20240912", "Debian"),
        ("debian-12-turnkey-wordpress_18.0-1_amd64.tar.gz", "Debian 12 (TurnKey wordpress)"),
        ("ubuntu-24.04-standard_24.04-2_amd64.tar.zst", "Ubuntu 24.04"),
        ("ubuntu-24.04.1-live-server-amd64", "Ubuntu 24.04"),
        ("ubuntu2204", "Ubuntu 22.04"),
        ("ubuntu-22-04-cloudinit", "Ubuntu 22.04"),
        ("ubuntu-server-24.04", "Ubuntu 24.04"),
        ("ubuntu24", "Ubuntu 24"),
        ("noble-server-cloudimg-amd64.img", "Ubuntu 24.04"),
        ("jammy", "Ubuntu 22.04"),
        ("win2k22", "Windows Server 2022"),
        ("w2k12r2", "Windows Server 2012 R2"),
        ("win2k8-r2", "Windows Server 2008 R2"),
        ("Windows Server 2019", "Windows Server 2019"),
        ("windows-server-2025-core", "Windows Server 2025"),
        ("ws2016", "Windows Server 2016"),
        ("win-2022-std", "Windows Server 2022"),
        ("windows-server", "Windows Server"),
        ("win11-pro", "Windows 11"),
        ("Windows-10-x64", "Windows 10"),
        ("tpl-windows", "Windows"),
        ("almalinux-9-default_20240911_amd64.tar.xz", "AlmaLinux 9"),
        ("AlmaLinux-9-GenericCloud-9.4-20240507.x86_64", "AlmaLinux 9"),
        ("alma8", "AlmaLinux 8"),
        ("rockylinux-9-default_20240912_amd64.tar.xz", "Rocky Linux 9"),
        ("Rocky-9.4-x86_64", "Rocky Linux 9.4"),
        ("centos-9-stream-default_20221109_amd64.tar.xz", "CentOS Stream 9"),
        ("centos-stream-9", "CentOS Stream 9"),
        ("CentOS-7.9.2009", "CentOS 7.9"),
        ("rhel-9.4", "Red Hat Enterprise Linux 9.4"),
        ("oraclelinux-9", "Oracle Linux 9"),
        ("opensuse-15.5-default_20231118_amd64.tar.xz", "openSUSE Leap 15.5"),
        ("openSUSE-Leap-15.6", "openSUSE Leap 15.6"),
        ("opensuse-tumbleweed", "openSUSE Tumbleweed"),
        ("sles15sp5", "SUSE Linux Enterprise 15 SP5"),
        ("fedora-40-default_20240909_amd64.tar.xz", "Fedora 40"),
        ("Fedora-Cloud-Base-40", "Fedora 40"),
        ("archlinux-base_20240911-1_amd64.tar.zst", "Arch Linux"),
        ("alpine-3.20-default_20240908_amd64.tar.xz", "Alpine 3.20"),
        ("alpine319", "Alpine 3.19"),
        ("devuan-5.0-standard_5.0_amd64.tar.gz", "Devuan 5.0"),
        ("gentoo-current-openrc_20231009_amd64.tar.xz", "Gentoo"),
        ("freebsd-14.1", "FreeBSD 14.1"),
        ("FreeBSD-14-1-zfs", "FreeBSD 14.1"),
        ("openbsd-7.5", "OpenBSD 7.5"),
        ("talos-v1.7.6", "Talos 1.7"),
        ("docker-on-debian-12", "Debian 12"),
    ],
)
def test_names_are_read_as_people_write_them(template: str, name: str) -> None:
    assert readable_name(template) == name


@pytest.mark.parametrize(
    "template",
    [
        "golden-image",
        "VM 9000",
        "research",
        "rewind-10",
        "twin11",
        "node-12",
        "searchd",
        "debug-3",
        "al",
        "slave-15",
        "leaper",
        "12",
    ],
)
def test_other_names_are_not_guessed_at(template: str) -> None:
    assert readable_name(template) is None


@pytest.mark.parametrize(
    ("template", "tags", "name"),
    [
        ("VM 9000", ("12", "debian"), "Debian 12"),
        ("VM 9000", ("template", "ubuntu-24.04"), "Ubuntu 24.04"),
        ("VM 9000", ("ubuntu", "v22.04"), "Ubuntu 22.04"),
        ("golden", ("jammy",), "Ubuntu 22.04"),
        ("golden", ("debian", "bookworm"), "Debian 12"),
        ("golden", ("windows-server", "2022"), "Windows Server 2022"),
        ("tpl-debian", ("12",), "Debian 12"),
        ("tpl-debian", ("debian-11",), "Debian 11"),
        ("tpl-debian", ("11", "12"), "Debian"),
        ("debian-12", ("13", "ubuntu"), "Debian 12"),
        ("archlinux", ("3",), "Arch Linux"),
        ("golden", ("web", "3"), None),
    ],
)
def test_tags_tell_what_the_name_does_not(template: str, tags: tuple[str, ...], name: str | None) -> None:
    assert readable_name(template, tags=tags) == name
    assert readable_name(template, tags=tags[::-1]) == name
