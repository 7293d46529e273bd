use LWP::UserAgent;
my $answer = LWP::UserAgent->new(env_proxy => 1)->get($ENV{URL});
print $answer->is_success ? $answer->content : $answer->status_line, "\n";
