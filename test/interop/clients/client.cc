// A vnet client made from the proto alone, in C++.
//
//     client ADDRESS NAME [CA CERTIFICATE KEY]
//
// ADDRESS is unix:/path/vnet.sock or host:port. Prints one line for each step.
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/error_details.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "vnet/v1/network_driver.grpc.pb.h"

namespace vnet_v1 = vnet::v1;
using vnet_v1::NetworkDriver;

// Each call has a context of its own, with a deadline.
static std::unique_ptr<grpc::ClientContext> patience(int seconds = 30) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  return context;
}

static std::string read_file(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

static std::shared_ptr<grpc::ChannelCredentials> credentials_of(int argc, char** argv) {
  if (argc < 6) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = read_file(argv[3]);
  options.pem_cert_chain = read_file(argv[4]);
  options.pem_private_key = read_file(argv[5]);
  return grpc::SslCredentials(options);
}

static void must(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << status.error_code() << " " << status.error_message() << std::endl;
  exit(1);
}

// The rich error: google.rpc.ErrorInfo among the details of the status.
static void print_error(const grpc::Status& status) {
  google::rpc::Status rich;
  must(grpc::ExtractErrorDetails(status, &rich));
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    if (!detail.UnpackTo(&info)) continue;
    std::cout << "refused " << status.error_code() << " " << info.reason() << " " << info.metadata().at("code") << " " << status.error_message() << std::endl;
  }
}

static void print_event(grpc::ClientReader<vnet_v1::WatchNetworkEventsResponse>& events) {
  vnet_v1::WatchNetworkEventsResponse event;
  if (!events.Read(&event)) must(events.Finish());
  const std::string kind = vnet_v1::EventKind_Name(event.kind());
  std::cout << "event " << kind.substr(std::string("EVENT_KIND_").size()) << std::endl;
}

int main(int argc, char** argv) {
  const std::string name = argv[2];
  auto driver = NetworkDriver::NewStub(grpc::CreateChannel(argv[1], credentials_of(argc, argv)));

  vnet_v1::OpenResponse opened;
  must(driver->Open(patience().get(), {}, &opened));
  std::cout << "driver " << opened.driver() << std::endl;
  vnet_v1::ListAllNetworksRequest which;
  which.set_active(true);
  vnet_v1::ListAllNetworksResponse list;
  must(driver->ListAllNetworks(patience().get(), which, &list));
  for (const auto& row : list.networks()) std::cout << "active " << row.network().name() << " " << row.addresses(0) << std::endl;
  vnet_v1::NetworkDefineXmlRequest document;
  document.set_xml("<network><name>" + name + "</name></network>");
  vnet_v1::NetworkDefineXmlResponse defined;
  must(driver->NetworkDefineXml(patience().get(), document, &defined));
  std::cout << "defined " << defined.network().name() << std::endl;
  vnet_v1::NetworkLookupByNameRequest wanted;
  wanted.set_name(name);
  vnet_v1::NetworkLookupByNameResponse found;
  must(driver->NetworkLookupByName(patience().get(), wanted, &found));
  std::cout << "found " << (found.network().uuid() == defined.network().uuid() ? "true" : "false") << std::endl;

  vnet_v1::WatchNetworkEventsRequest watched;
  *watched.mutable_network() = found.network();
  auto watching = patience();
  auto events = driver->WatchNetworkEvents(watching.get(), watched);
  print_event(*events);
  vnet_v1::NetworkCreateRequest start;
  *start.mutable_network() = found.network();
  vnet_v1::NetworkCreateResponse started;
  must(driver->NetworkCreate(patience().get(), start, &started));
  print_event(*events);
  watching->TryCancel();
  vnet_v1::NetworkDumpXmlRequest asked;
  *asked.mutable_network() = found.network();
  vnet_v1::NetworkDumpXmlResponse dump;
  must(driver->NetworkDumpXml(patience().get(), asked, &dump));
  std::cout << "dumped " << (dump.xml().find("<name>" + name + "</name>") != std::string::npos ? "true" : "false") << std::endl;
  print_error(driver->NetworkCreate(patience().get(), start, &started));
  vnet_v1::NetworkDestroyRequest stop;
  *stop.mutable_network() = found.network();
  vnet_v1::NetworkDestroyResponse stopped;
  must(driver->NetworkDestroy(patience().get(), stop, &stopped));
  vnet_v1::NetworkUndefineRequest forget;
  *forget.mutable_network() = found.network();
  vnet_v1::NetworkUndefineResponse forgotten;
  must(driver->NetworkUndefine(patience().get(), forget, &forgotten));
  print_error(driver->NetworkLookupByName(patience().get(), wanted, &found));
}
