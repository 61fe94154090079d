"""The one thing that pyproject.toml cannot say: the top folder properties/ travels inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["recbole_popaware*", "dataset_converters*"]),
        "recbole_popaware.properties",
    ],
    package_dir={"recbole_popaware.properties": "properties"},
)
