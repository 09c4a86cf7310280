#!/usr/bin/perl
# A DNS server on 127.0.0.1:53, UDP and TCP, that replays the answers of answers.txt.
#
# A line of that file: NAME TYPE udp|tcp, options, and what is sent:
#   HEX          the message after its id; the question's letters are sent back as they came
#   rcode=N      the question with that rcode and no record
#   drop         nothing
# The options: delay=SECONDS before it is sent; first=N and then=close or then=stall, over TCP: only so many octets
# of length and message, and then the connection is closed or says nothing more; fault=N: the line counts only as
# often as `fault N times COUNT` says. NAME may be *.ORIGIN or *, TYPE and transport may be *. The first line that
# fits counts. `tcp refuse`: nothing listens for TCP. Needs no more of Perl than perl-base has.
use strict;
use warnings;
use Socket;
my ($directory) = __FILE__ =~ m{^(.*)/};
require "$directory/common.pl";
our ($HERE, $OUT);

my %types = (1 => 'A', 2 => 'NS', 5 => 'CNAME', 6 => 'SOA', 12 => 'PTR', 15 => 'MX', 16 => 'TXT', 28 => 'AAAA', 255 => 'ANY');
my (%exact, @patterns, %left);
my $refuse_tcp = 0;

sub read_answers {
    for (lines_of("$HERE/answers.txt")) {
        next if /^#/ || /^\s*\z/;
        if (/^tcp refuse/) { $refuse_tcp = 1; next; }
        if (/^fault (\d+) times (\d+)/) { $left{$1} = $2; next; }
        my ($name, $type, $over, @words) = split / /;
        my $what = pop @words;
        my $entry = { over => $over, type => $type, name => lc unescaped($name), what => $what, map { split /=/ } @words };
        if ($entry->{name} =~ /^\*/ || $type eq '*') { push @patterns, $entry; }
        else { push @{ $exact{"$entry->{name} $type $over"} }, $entry; }
    }
}

sub fits {
    my ($entry, $name, $type, $over) = @_;
    return 0 if $entry->{type} !~ /^(\*|\Q$type\E)\z/ || $entry->{over} !~ /^(\*|$over)\z/;
    my $pattern = $entry->{name};
    return $pattern eq '*' || substr(".$name", -(length($pattern) - 1)) eq substr $pattern, 1;
}

sub entry_for {
    my ($name, $type, $over) = @_;
    my $known = $exact{"$name $type $over"} || [];
    for my $entry (@$known, grep { fits($_, $name, $type, $over) } @patterns) {
        return $entry if !defined $entry->{fault};
        return $entry if $left{ $entry->{fault} }-- > 0;
    }
    return;
}

# The name of a question as it came, its type, and where the question ends.
sub question {
    my ($message) = @_;
    my ($at, @labels) = (12);
    while (my $length = ord substr $message, $at, 1) {
        push @labels, substr $message, $at + 1, $length;
        $at += 1 + $length;
    }
    return (join('.', @labels), unpack('n', substr $message, $at + 1, 2), $at + 5);
}

sub answer_to {
    my ($message, $over) = @_;
    return if length $message < 17;
    my ($name, $number, $end) = question($message);
    my $type = exists $types{$number} ? $types{$number} : "TYPE$number";
    open my $log, '>>', "$OUT/questions";
    syswrite $log, escaped("$name $type over $over") . "\n";
    my $entry = entry_for(lc $name, $type, $over) or return;
    my $octets;
    if ($entry->{what} =~ /^rcode=(\d+)/) {
        # Authoritative where it says that there is no such name (RFC 1035 4.1.1).
        $octets = pack('n5', ($1 == 3 ? 0x8500 : 0x8100) | $1, 1, 0, 0, 0) . substr $message, 12, $end - 12;
    }
    elsif ($entry->{what} ne 'drop') {
        $octets = pack 'H*', $entry->{what};
        # The letters of the question as they came: offset 12 of the message is 10 without the id.
        my $echo = substr $message, 12, $end - 12;
        my $place = length $octets > 10 ? substr $octets, 10, length $echo : '';
        my $same = substr $echo, 0, length $place;
        if ($place ne '' && lc $place eq lc $same) { substr($octets, 10, length $place) = $same; }
    }
    $octets = substr($message, 0, 2) . $octets if defined $octets;
    return ($octets, $entry);
}

sub later {
    my ($seconds, $act) = @_;
    return $act->() if !$seconds;
    return if fork;
    select undef, undef, undef, $seconds;
    $act->();
    exit 0;
}

sub serve {
    my ($udp, $tcp) = @_;
    my %clients;
    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
    while (1) {
        my $bits = '';
        vec($bits, fileno $_, 1) = 1 for $udp, ($tcp ? $tcp : ()), map { $_->{handle} } values %clients;
        next if select($bits, undef, undef, undef) < 1;
        if (vec $bits, fileno $udp, 1) {
            my $message;
            my $peer = recv $udp, $message, 65535, 0;
            my ($octets, $entry) = answer_to($message, 'udp');
            later($entry->{delay}, sub { send $udp, $octets, 0, $peer }) if defined $octets;
        }
        if ($tcp && vec $bits, fileno $tcp, 1) {
            my $handle;
            accept $handle, $tcp or next;
            $clients{ fileno $handle } = { handle => $handle, unread => '', mute => 0 };
        }
        for my $client (grep { vec $bits, fileno $_->{handle}, 1 } values %clients) {
            my $count = sysread $client->{handle}, $client->{unread}, 65536, length $client->{unread};
            if (!$count) { delete $clients{ fileno $client->{handle} }; next; }
            hear($client, \%clients);
        }
    }
}

sub hear {
    my ($client, $clients) = @_;
    while (!$client->{mute} && length $client->{unread} >= 2) {
        my $length = unpack 'n', $client->{unread};
        last if length $client->{unread} < 2 + $length;
        my $message = substr $client->{unread}, 2, $length;
        substr($client->{unread}, 0, 2 + $length) = '';
        my ($octets, $entry) = answer_to($message, 'tcp');
        next if !defined $octets;
        my $framed = pack('n', length $octets) . $octets;
        $framed = substr $framed, 0, $entry->{first} if defined $entry->{first};
        my $handle = $client->{handle};
        later($entry->{delay}, sub { send_all($handle, $framed) });
        $client->{mute} = 1 if $entry->{then};
        delete $clients->{ fileno $handle } if ($entry->{then} || '') eq 'close';
    }
}

sub send_all {
    my ($handle, $octets) = @_;
    while (length $octets) {
        my $count = syswrite $handle, $octets or return;
        substr($octets, 0, $count) = '';
    }
}

sub main {
    read_answers();
    my $place = sockaddr_in(53, INADDR_LOOPBACK);
    socket my $udp, PF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
    bind $udp, $place or die "127.0.0.1:53 over UDP: $!\n";
    my $tcp;
    if (!$refuse_tcp) {
        socket $tcp, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        setsockopt $tcp, SOL_SOCKET, SO_REUSEADDR, 1;
        bind $tcp, $place or die "127.0.0.1:53 over TCP: $!\n";
        listen $tcp, 100;
    }
    exit 0 if fork;    # it listens; whoever started it can go on
    serve($udp, $tcp);
}

main() unless caller;
