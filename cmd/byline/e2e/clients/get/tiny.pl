use HTTP::Tiny;
my $answer = HTTP::Tiny->new(verify_SSL => 1, SSL_options => {SSL_ca_file => $ENV{SSL_CERT_FILE}})->get($ENV{URL});
print $answer->{success} ? $answer->{content} : "$answer->{status} $answer->{reason} $answer->{content}", "\n";
