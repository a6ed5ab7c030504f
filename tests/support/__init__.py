# SPDX-License-Identifier: Apache-2.0
"""What the integration tests and the benchmarks share: starting the server and its peers, talking to them."""
