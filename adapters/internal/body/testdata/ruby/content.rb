# Reads bodies as programs do that do not look at the Content-Type. See ../README.md.
require 'json'
require 'stringio'
require 'yaml'
require 'rack'

def pairs(value, name, all)
  case value
  when Hash then value.each { |key, member| pairs(member, key.to_s, all) }
  when Array then value.each { |item| pairs(item, name, all) }
  when String, Numeric, Symbol then all << [name, value.to_s]
  end
  all
end

def form(type, body)
  env = { 'CONTENT_TYPE' => type, 'CONTENT_LENGTH' => body.bytesize.to_s, 'REQUEST_METHOD' => 'POST', 'rack.input' => StringIO.new(body) }
  request = Rack::Request.new(env)
  request.form_data? || request.parseable_data? ? request.POST : {}
end

READERS = {
  'json' => ->(_, body) { JSON.parse(body) },
  'yaml' => ->(_, body) { YAML.safe_load(body) },
  'rack' => ->(type, body) { form(type, body) },
  'nested_query' => ->(_, body) { Rack::Utils.parse_nested_query(body, '&') },
}.freeze

$stdin.each_line do |line|
  request = JSON.parse(line)
  body = [request['body']].pack('H*')
  answer = {}
  READERS.each do |name, read|
    found = pairs(read.call(request['type'], body.dup), '', [])
    answer[name] = found.map { |pair| pair.map { |text| text.dup.force_encoding('UTF-8').scrub } }
  rescue StandardError
    next # a reader that refuses the body reads nothing in it
  end
  puts JSON.generate(answer)
  $stdout.flush
end
