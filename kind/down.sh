#!/bin/bash
# Removes what up.sh made.
set -euo pipefail

kind delete cluster --name l2sm
