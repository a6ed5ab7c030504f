# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: figures are ratios to a reference measured in turn, with CPU time beside wall time."""
