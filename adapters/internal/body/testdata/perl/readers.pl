# What CGI.pm reads. See ../README.md.
use strict;
use warnings;
no warnings 'once';
use CGI ();

$CGI::LIST_CONTEXT_WARN = 0;
binmode STDIN;
binmode STDOUT;
open(my $requests, '<&', \*STDIN) or die;
binmode $requests;
$| = 1;

sub text {
    my $got = read($requests, my $length, 4);
    exit 0 if !$got;
    my ($n, $text) = (unpack('N', $length), '');
    while (length($text) < $n) {
        read($requests, $text, $n - length($text), length($text)) or exit 1;
    }
    return $text;
}

sub entries { return '[' . join(',', map { '[' . join(',', map { '"' . unpack('H*', $_ // '') . '"' } @$_) . ']' } @_) . ']' }

sub content {
    my ($file) = @_;
    local $/;
    return scalar(<$file>) // '';
}

while (1) {
    my ($type, $query, $body) = (text(), text(), text());
    if ($type =~ /json|xml/) {
        print "{}\n";
        next;
    }
    %ENV = (%ENV, REQUEST_METHOD => 'POST', CONTENT_TYPE => $type, CONTENT_LENGTH => length($body), QUERY_STRING => $query);
    close STDIN;
    open(STDIN, '<', \$body) or die;
    my $line = eval {
        local $SIG{__WARN__} = sub { };
        local $SIG{ALRM} = sub { die "no answer\n" };
        alarm 5;
        CGI::initialize_globals();
        $CGI::LIST_CONTEXT_WARN = 0;
        my $cgi = CGI->new;
        die $cgi->cgi_error . "\n" if $cgi->cgi_error;
        my (@query, @fields, @files);
        for my $name ($cgi->url_param) {
            push @query, [$name, $_] for grep { defined } $cgi->url_param($name);
        }
        for my $name ($cgi->multi_param) {
            for my $value ($cgi->multi_param($name)) {
                if (ref $value) {
                    my $info = $cgi->uploadInfo($value) || {};
                    push @files, [$name, "$value", $info->{'Content-Type'} // '', content($value)];
                } else {
                    push @fields, [$name, $value];
                }
            }
        }
        alarm 0;
        '"query":' . entries(@query) . ',"fields":' . entries(@fields) . ',"files":' . entries(@files);
    };
    alarm 0;
    if (!defined $line) {
        my $error = $@;
        $error =~ s/[^ -~]|["\\]/ /g;
        $line = qq("error":"$error");
    }
    print qq({"CGI.pm":{$line}}\n);
}
