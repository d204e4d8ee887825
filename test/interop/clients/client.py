"""A vnet client made from the proto alone, in Python.

    client.py ADDRESS NAME [CA CERTIFICATE KEY]

ADDRESS is unix:/path/vnet.sock or host:port. Prints one line for each step.
"""
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from vnet.v1 import network_driver_pb2 as vnet
from vnet.v1 import network_driver_pb2_grpc as vnet_grpc

try:
    from grpc_status import rpc_status  # the package grpcio-status
except ImportError:
    rpc_status = None

address, name, *pem = sys.argv[1:]


def open_channel():
    if not pem:
        return grpc.insecure_channel(address)
    ca, certificate, key = (open(path, "rb").read() for path in pem)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate))


def status_of(error):
    """The rich error: google.rpc.Status, by the helper or from the trailer it reads."""
    if rpc_status is not None:
        return rpc_status.from_call(error)
    trailer = dict(error.trailing_metadata())
    return status_pb2.Status.FromString(trailer["grpc-status-details-bin"])


def refused(call, request):
    try:
        call(request, timeout=30)
    except grpc.RpcError as error:
        for detail in status_of(error).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                print("refused", error.code().value[0], info.reason, info.metadata["code"], error.details())


def print_event(events):
    print("event", vnet.EventKind.Name(next(events).kind).removeprefix("EVENT_KIND_"))


driver = vnet_grpc.NetworkDriverStub(open_channel())
print("driver", driver.Open(vnet.OpenRequest(), timeout=10).driver)
for row in driver.ListAllNetworks(vnet.ListAllNetworksRequest(active=True), timeout=10).networks:
    print("active", row.network.name, " ".join(row.addresses))
document = f"<network><name>{name}</name></network>"
defined = driver.NetworkDefineXml(vnet.NetworkDefineXmlRequest(xml=document), timeout=10).network
print("defined", defined.name)
network = driver.NetworkLookupByName(vnet.NetworkLookupByNameRequest(name=name), timeout=10).network
print("found", "true" if network.uuid == defined.uuid else "false")

events = driver.WatchNetworkEvents(vnet.WatchNetworkEventsRequest(network=network))
print_event(events)
driver.NetworkCreate(vnet.NetworkCreateRequest(network=network), timeout=30)
print_event(events)
events.cancel()
xml = driver.NetworkDumpXml(vnet.NetworkDumpXmlRequest(network=network), timeout=10).xml
print("dumped", "true" if f"<name>{name}</name>" in xml else "false")
refused(driver.NetworkCreate, vnet.NetworkCreateRequest(network=network))
driver.NetworkDestroy(vnet.NetworkDestroyRequest(network=network), timeout=30)
driver.NetworkUndefine(vnet.NetworkUndefineRequest(network=network), timeout=10)
refused(driver.NetworkLookupByName, vnet.NetworkLookupByNameRequest(name=name))
