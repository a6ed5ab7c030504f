# SPDX-License-Identifier: Apache-2.0
"""A strict, stateful Hyper-V behind real WS-Management, for tests and for trying things out."""
