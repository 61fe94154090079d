"""Metadata of the package; the property files travel inside it."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = (HERE / "recbole_popaware" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]

TUNE = ["hyperopt>=0.3; python_version >= '3.10'", "plotly>=5"]  # Ray: see requirements-ray.txt

setup(
    name="recbole-popaware",
    version=VERSION,
    description="Personalised popularity for RecBole's sequential recommenders: music that people replay",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.9",
    # The folder properties/ at the top becomes recbole_popaware/properties in the wheel.
    packages=[
        *find_packages(include=["recbole_popaware*", "dataset_converters*"]),
        "recbole_popaware.properties",
    ],
    package_dir={"recbole_popaware.properties": "properties"},
    package_data={
        "recbole_popaware.properties": ["*.yaml", "*/*.yaml", "*/*.hyper"],
        "recbole_popaware": ["dataset_example/*/*", "experiments/report/*.jinja"],
    },
    install_requires=[
        "recbole==1.2.1",
        "torch>=2.6,<3",
        "numpy>=1.26,<3",
        "pandas>=2.1.1,<4",
        "pyarrow>=14.0.1",
        "duckdb>=1.1",  # orders logs that do not fit into memory
        "pyyaml>=6.0",
        "scipy>=1.11",
        "matplotlib>=3.8",
        "jinja2>=3.1",
        "texttable>=1.6",
        "tqdm>=4.60",
    ],
    extras_require={
        "tune": TUNE,
        "test": [*TUNE, "pytest>=8", "hypothesis>=6.100", "ruff", "mypy", "types-PyYAML", "setuptools>=70"],
    },
    entry_points={
        "console_scripts": [
            "recbole-popaware = recbole_popaware.cli:main",
            "recbole-popaware-recommend = recbole_popaware.recommending.__main__:main",
            "recbole-popaware-convert = dataset_converters.__main__:main",
            "recbole-popaware-experiment = recbole_popaware.experiments.__main__:main",
        ]
    },
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
