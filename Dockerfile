# JupyterLab with the GoNB kernel, the XLA plugin and all notebooks.
#
#   docker build -t goebm .                                      docker run --rm -p 8888:8888 goebm
#   docker build -t goebm-cuda --build-arg ACCELERATOR=cuda .    docker run --rm --gpus all -p 8888:8888 goebm-cuda
#
# The steps are the Makefile's, so that they are the same without Docker; `make fresh` runs them in a fresh clone.
FROM golang:1.26-bookworm

# cpu; cuda for an NVIDIA GPU (its driver comes from the host); cuda12 for an older one
ARG ACCELERATOR=cpu

RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc git libc6-dev make python3 python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 ebm
USER ebm
ENV HOME=/home/ebm GOPATH=/home/ebm/go
WORKDIR /home/ebm/goebm
COPY --chown=ebm:ebm . .

RUN make setup ACCELERATOR=${ACCELERATOR}
RUN make lab-setup ACCELERATOR=${ACCELERATOR}
RUN make warm

EXPOSE 8888
CMD ["make", "lab", "LAB_FLAGS=--ip=0.0.0.0 --port=8888 --no-browser"]
