"""A vnet client made from the proto alone: lists, defines, starts, stops.

Usage: client.py ADDRESS GENERATED_FOLDER [CA CERTIFICATE KEY]

ADDRESS is unix:/path/vnet.sock or host:port. Generate the code with

    python3 -m grpc_tools.protoc  (or protoc with grpc_python_plugin)
        -I proto --python_out=DIR --grpc_python_out=DIR
        proto/vnet/v1/*.proto proto/google/rpc/*.proto

Prints one line for each step.
"""
import sys

sys.path.insert(0, sys.argv[2])

import grpc
from google.protobuf import any_pb2  # noqa: F401  (the Status below holds them)
from vnet.v1 import network_driver_pb2 as vnet
from vnet.v1 import network_driver_pb2_grpc as vnet_grpc

# Python's google.rpc package comes with googleapis-common-protos where it is
# installed; the generated one reads the same trailer.
from google.rpc import error_details_pb2, status_pb2

XML = """<network>
  <name>from-python</name>
  <ip address='10.78.1.1' netmask='255.255.255.0'>
    <dhcp><range start='10.78.1.10' end='10.78.1.99'/></dhcp>
  </ip>
</network>"""


def channel(address, ca=None, certificate=None, key=None):
    if ca is None:
        return grpc.insecure_channel(address)
    read = lambda path: open(path, "rb").read()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(read(ca), read(key), read(certificate)))


def error_info(error):
    """What kind of error it is, from the rich error in the trailer."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            status_pb2.Status.FromString(value).details[0].Unpack(info)
            return info
    raise error


driver = vnet_grpc.NetworkDriverStub(channel(sys.argv[1], *sys.argv[3:]))
print("driver", driver.Open(vnet.OpenRequest(), timeout=10).driver)
network = driver.NetworkDefineXml(vnet.NetworkDefineXmlRequest(xml=XML), timeout=10).network
print("defined", network.name)
driver.NetworkCreate(vnet.NetworkCreateRequest(network=network), timeout=30)
for row in driver.ListAllNetworks(vnet.ListAllNetworksRequest(active=True), timeout=10).networks:
    if row.network.name == network.name:
        print("active", row.network.name, " ".join(row.addresses))
try:
    driver.NetworkCreate(vnet.NetworkCreateRequest(network=network), timeout=30)
except grpc.RpcError as error:
    info = error_info(error)
    print("refused", error.code().name, info.reason, info.metadata["code"], error.details())
driver.NetworkDestroy(vnet.NetworkDestroyRequest(network=network), timeout=30)
driver.NetworkUndefine(vnet.NetworkUndefineRequest(network=network), timeout=10)
try:
    driver.NetworkLookupByName(vnet.NetworkLookupByNameRequest(name=network.name), timeout=10)
except grpc.RpcError as error:
    print("gone", error_info(error).reason)
