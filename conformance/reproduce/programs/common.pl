# What the scripts share: the written form of octets, and the made-up passwords of secrets.env.
use strict;
use warnings;

our ($HERE) = __FILE__ =~ m{^(.*)/};    # /reproduction in the container
our $OUT = "$HERE/out";

sub lines_of {
    my ($path) = @_;
    open my $file, '<', $path or return;
    my @lines = <$file>;
    chomp @lines;
    return @lines;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    local $/;
    my $content = <$file>;
    return defined $content ? $content : '';
}

# Octets as printable ASCII on one line, and back: \\ \t \r \n \xHH.
my %written = ("\\" => '\\\\', "\t" => '\t', "\r" => '\r', "\n" => '\n');
my %meant = ('\\' => '\\', t => "\t", r => "\r", n => "\n");

sub escaped {
    my ($octets) = @_;
    $octets =~ s/([\\\x00-\x1f\x7f-\xff])/exists $written{$1} ? $written{$1} : sprintf '\\x%02x', ord $1/ge;
    return $octets;
}

sub unescaped {
    my ($line) = @_;
    $line =~ s/\\(?:x([0-9a-f]{2})|(.))/defined $1 ? chr hex $1 : $meant{$2}/ge;
    return $line;
}

# The lines of secrets.env: what stands for a secret (without its angle brackets), "=", the secret.
my @secrets = map { /^([^#=]+)=(.*)\z/s ? [$1, $2] : () } lines_of("$HERE/secrets.env");

sub secret { my ($name) = @_; for (@secrets) { return $_->[1] if $_->[0] eq $name; } return; }

sub filled { my ($text) = @_; $text =~ s/<\Q$_->[0]\E>/$_->[1]/g for @secrets; return $text; }

# The longest first: one form may contain another.
sub hidden {
    my ($text) = @_;
    $text =~ s/\Q$_->[1]\E/<$_->[0]>/g for sort { length $b->[1] <=> length $a->[1] } @secrets;
    return $text;
}

sub passwords { return map { $_->[0] =~ /^password of (.*)\z/s ? ($1, $_->[1]) : () } @secrets; }

# RFC 4648 base64.
sub from_base64 {
    my ($text) = @_;
    $text =~ tr{A-Za-z0-9+/}{}cd;
    $text =~ tr{A-Za-z0-9+/}{ -_};
    return join '', map { unpack 'u', chr(32 + int(length($_) * 3 / 4)) . $_ } $text =~ /.{1,60}/gs;
}

sub to_base64 {
    my ($octets) = @_;
    my $text = join '', map { substr pack('u', $_), 1 } $octets =~ /.{1,45}/gs;
    $text =~ tr{` -_}{AA-Za-z0-9+/};
    $text =~ s/\n//g;
    my $pad = (3 - length($octets) % 3) % 3;
    substr($text, -$pad) = '=' x $pad if $pad;
    return $text;
}

1;
