# What Rack, on which Rails stands, and REXML read. See ../README.md.
require 'json'
require 'stringio'
require 'rack'
require 'rexml/document'

Rack::Utils.multipart_total_part_limit = 0
Rack::Utils.multipart_file_limit = 0
Rack::Utils.key_space_limit = 1 << 30
$stdin.binmode
$stdout.sync = true

def hexed(text)
  text.to_s.b.unpack1('H*')
end

# Rack's own representation before names with brackets are nested.
class Flat < Rack::QueryParser
  def initialize
    super(Rack::QueryParser::Params, 1 << 30, 100)
  end

  def make_params
    @entries ||= []
    Sink.new(@entries)
  end

  def normalize_params(params, name, value, _depth = nil)
    params.entries << [name, value]
  end

  class Sink
    attr_reader :entries

    def initialize(entries)
      @entries = entries
    end

    def to_h
      self
    end
    alias to_params_hash to_h
  end
end

def read(type, query, body)
  env = { 'REQUEST_METHOD' => 'POST', 'CONTENT_TYPE' => type, 'CONTENT_LENGTH' => body.bytesize.to_s, 'rack.input' => StringIO.new(body) }
  fields = []
  files = []
  if type.start_with?('multipart/')
    parsed = Rack::Multipart.parse_multipart(env, Flat.new)
    parsed.entries.each do |name, value|
      if value.is_a?(Hash)
        files << [name, value[:filename], value[:type], value[:tempfile].read]
        value[:tempfile].close!
      else
        fields << [name, value]
      end
    end
  else
    fields = pairs(body)
  end
  { query: pairs(query), fields: fields, files: files }
end

def pairs(text)
  parser = Rack::QueryParser.make_default(1 << 30, 100)
  parser.parse_query(text, '&').flat_map { |name, values| (values.is_a?(Array) ? values : [values]).map { |v| [name, v] } }
end

def describe(element)
  text = element.children.select { |c| c.is_a?(REXML::Text) }.map(&:value).join
  attributes = element.attributes.to_a.flat_map { |a| a.is_a?(Hash) ? a.values : [a] }
  attributes = attributes.reject { |a| a.prefix == 'xmlns' || a.expanded_name == 'xmlns' }.map do |a|
    space = { '' => '', 'xml' => 'http://www.w3.org/XML/1998/namespace' }[a.prefix] || element.namespace(a.prefix)
    " {#{space}}#{a.name}=<#{a.value}>"
  end
  children = element.elements.map { |child| describe(child) }
  "{#{element.namespace}}#{element.name} <#{text}>#{attributes.sort.join} [#{children.join(' ')}]"
end

def answer(type, query, body)
  if type.include?('json')
    return { 'ruby json' => { tree: hexed(JSON.generate(JSON.parse(body))) } }
  elsif type.include?('xml')
    return { 'rexml' => { tree: hexed(describe(REXML::Document.new(body.force_encoding('UTF-8')).root)) } }
  end
  { 'rack' => read(type, query, body).transform_values { |entries| entries.map { |entry| entry.map { |text| hexed(text) } } } }
rescue StandardError => e
  name = if type.include?('json') then 'ruby json' elsif type.include?('xml') then 'rexml' else 'rack' end
  { name => { error: e.inspect.b.gsub(/[^ -~]/n, ' ') } }
end

loop do
  texts = Array.new(3) do
    length = $stdin.read(4)
    exit if length.nil?
    $stdin.read(length.unpack1('N')) || ''.b
  end
  puts JSON.generate(answer(*texts.map { |t| t.dup }))
end
