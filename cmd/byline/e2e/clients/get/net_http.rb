require "net/http"
puts Net::HTTP.get(URI(ENV["URL"]))
