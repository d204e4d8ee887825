# A vnet client made from the proto alone, in Ruby.
#
#     client.rb ADDRESS NAME [CA CERTIFICATE KEY]
#
# ADDRESS is unix:/path/vnet.sock or host:port. Prints one line for each step.
require 'grpc'
require 'google/protobuf/well_known_types'
require 'google/rpc/error_details_pb'
require 'vnet/v1/network_driver_services_pb'

include Vnet::V1

address, name, *pem = ARGV
credentials = :this_channel_is_insecure
unless pem.empty?
  ca, certificate, key = pem.map { |path| File.read(path) }
  credentials = GRPC::Core::ChannelCredentials.new(ca, key, certificate)
end
# Each call without a deadline of its own has this one, in seconds.
driver = NetworkDriver::Stub.new(address, credentials, timeout: 30)

# The rich error: google.rpc.ErrorInfo among the details of the status.
def refused
  yield
rescue GRPC::BadStatus => error
  error.to_rpc_status.details.each do |detail|
    info = detail.unpack(Google::Rpc::ErrorInfo) or next
    puts "refused #{error.code} #{info.reason} #{info.metadata['code']} #{error.details}"
  end
end

puts "driver #{driver.open(OpenRequest.new).driver}"
driver.list_all_networks(ListAllNetworksRequest.new(active: true)).networks.each do |row|
  puts "active #{row.network.name} #{row.addresses.join(' ')}"
end
defined = driver.network_define_xml(NetworkDefineXmlRequest.new(
  xml: "<network><name>#{name}</name></network>"
)).network
puts "defined #{defined.name}"
network = driver.network_lookup_by_name(NetworkLookupByNameRequest.new(name: name)).network
puts "found #{network.uuid == defined.uuid}"

watching = driver.watch_network_events(WatchNetworkEventsRequest.new(network: network), return_op: true)
events = watching.execute
next_event = -> { puts "event #{events.next.kind.to_s.delete_prefix('EVENT_KIND_')}" }
next_event.call
driver.network_create(NetworkCreateRequest.new(network: network))
next_event.call
watching.cancel
xml = driver.network_dump_xml(NetworkDumpXmlRequest.new(network: network)).xml
puts "dumped #{xml.include?("<name>#{name}</name>")}"
refused { driver.network_create(NetworkCreateRequest.new(network: network)) }
driver.network_destroy(NetworkDestroyRequest.new(network: network))
driver.network_undefine(NetworkUndefineRequest.new(network: network))
refused { driver.network_lookup_by_name(NetworkLookupByNameRequest.new(name: name)) }
