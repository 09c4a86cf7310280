#!/usr/bin/perl
# Plays steps.txt against qmail, prints what is said, and writes what was seen, in the words of expected.txt, to
# out/seen.txt.
#
# The steps, fields divided by tabs: connect N; send N OCTETS; cram N USER (the CRAM-MD5 digest of the last
# challenge); replies N COUNT (wait for so many whole replies); silence N SECONDS; closed N; pause N SECONDS; shut N (half close);
# close N; remote N HOST SENDER RECIPIENT…; wait-until-idle (wait until qmail-send rests);
# signal NAME FILE CONTENT… (these control files are written, and qmail-send gets the signal); observe (note what stands in the
# queue, the mailboxes, at the exchangers; the last time counts). N is the number of a connection, or of a message in
# messages/.
# Needs no more of Perl than perl-base has.
use strict;
use warnings;
use Errno qw(EINTR);
use POSIX qw(:sys_wait_h);
use Socket;
my ($directory) = __FILE__ =~ m{^(.*)/};
require "$directory/common.pl";
our ($HERE, $OUT);
require "$HERE/programs/checkpassword" if -e "$HERE/programs/checkpassword";    # for cram_md5

my $QMAIL = readlink '/opt/conformance/qmail';
my $PATIENCE = 15;    # seconds
my (%connections, @order, @deliveries, @observed);

$| = 1;

sub show {
    my ($who, $octets) = @_;
    my $line = escaped(hidden($octets));
    $line = substr($line, 0, 300) . ' … (' . length($octets) . ' octets)' if length $line > 400;
    print "$who $line\n";
}

sub waited_for {
    my ($handle, $seconds) = @_;
    vec(my $bits = '', fileno $handle, 1) = 1;
    return select($bits, undef, undef, $seconds) > 0;
}

# ---- sessions with qmail-smtpd

sub connect_to_smtpd {
    my ($number) = @_;
    my $handle;
    for (1 .. 200) {    # until tcpserver listens
        socket $handle, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        last if connect $handle, sockaddr_in(25, INADDR_LOOPBACK);
        undef $handle;
        select undef, undef, undef, 0.05;
    }
    die "nothing listens on 127.0.0.1:25\n" if !$handle;
    setsockopt $handle, 6, 1, 1;    # TCP_NODELAY
    $connections{$number} = { handle => $handle, heard => '', shown => 0, awaited => 0, closed => 0 };
    push @order, $number;
    print "smtpd $number   [the client connects]\n";
}

# Read what comes within some seconds; 0 when nothing does.
sub hear {
    my ($number, $seconds) = @_;
    my $one = $connections{$number};
    return 0 if $one->{closed} || !waited_for($one->{handle}, $seconds);
    my $count = sysread $one->{handle}, $one->{heard}, 65536, length $one->{heard};
    $one->{closed} = 1 if !$count;
    while ((my $end = index $one->{heard}, "\n", $one->{shown}) >= 0) {
        my $line = substr $one->{heard}, $one->{shown}, $end - $one->{shown};
        $line =~ s/\r\z//;
        show("smtpd $number <", $line);
        $one->{shown} = $end + 1;
    }
    print "smtpd $number   [qmail closes the connection]\n" if $one->{closed};
    return 1;
}

sub replies {
    my ($number, $count) = @_;
    my $one = $connections{$number};
    $one->{awaited} += $count;
    # A reply ends with the line that has no hyphen after its code; what is no reply ends with each line.
    while ((() = $one->{heard} =~ /^(?!\d{3}-)[^\n]*\n/mg) < $one->{awaited}) {
        last if !hear($number, $PATIENCE);
    }
}

sub say_octets {
    my ($number, $octets) = @_;
    show("smtpd $number >", $_) for $octets =~ /[^\n]*\n|[^\n]+\z/g;
    my $handle = $connections{$number}{handle};
    while (length $octets) {
        my $count = syswrite $handle, $octets;
        last if !$count;
        substr($octets, 0, $count) = '';
    }
}

sub cram {
    my ($number, $user) = @_;
    my ($challenge) = $connections{$number}{heard} =~ /.*^334 (\S+)\r?\n/ms;
    my $digest = cram_md5(secret("password of $user"), from_base64(defined $challenge ? $challenge : ''));
    say_octets($number, to_base64("$user $digest") . "\r\n");
}

# ---- qmail-remote, as qmail-rspawn runs it

sub remote {
    my ($number, @arguments) = @_;
    my ($uid, $gid) = ((getpwnam 'qmailr')[2], scalar getgrnam 'qmail');
    show('qmail-remote', join ' ', @arguments);
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = fork;
    if (!$pid) {
        open STDIN, '<', "$HERE/messages/remote-$number" or POSIX::_exit(111);
        open STDOUT, '>&', $write;
        open STDERR, '>&', $write;
        ($(, $)) = ($gid, "$gid $gid");
        POSIX::setgid($gid);
        POSIX::setuid($uid);
        chdir "$QMAIL/queue/mess";
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec "$QMAIL/bin/qmail-remote", @arguments or POSIX::_exit(111);
    }
    close $write;
    my ($report, $begun, $ended) = ('', time, 1);
    while (1) {
        if (!waited_for($read, 25)) { kill 'KILL', $pid; $ended = 0; last; }
        last if !sysread $read, $report, 65536, length $report;
    }
    waitpid $pid, 0;
    my @parts = split /\0/, $report;
    show('qmail-remote <', $_) for @parts;
    my @lines = ('report ' . join ' ', map { substr $_, 0, 1 } @parts);
    if (!$ended) { push @lines, 'did not end'; }
    elsif ($?) { push @lines, 'exit status ' . ($? & 127 ? -($? & 127) : $? >> 8); }
    push @deliveries, \@lines;
}

# Wait until nothing is in todo and each delivery that began has ended, for half a second on end.
sub wait_until_idle {
    my $quiet = 0;
    for (1 .. 500) {
        my $log = slurp("$OUT/send.log");
        my ($begun, $ended) = (scalar(() = $log =~ /^starting delivery /mg), scalar(() = $log =~ /^delivery /mg));
        opendir my $todo, "$QMAIL/queue/todo";
        my $waiting = grep { !/^\./ } readdir $todo;
        $quiet = $waiting || $begun != $ended ? 0 : $quiet + 1;
        return if $quiet >= 10;
        select undef, undef, undef, 0.05;
    }
    print "qmail-send is still at work\n";
}

# A signal for qmail-send, once control files stand: pairs of name and content.
sub signal_send {
    my ($name, @files) = @_;
    while (my ($file, $content) = splice @files, 0, 2) {
        open my $handle, '>', "$QMAIL/control/$file" or die "control/$file: $!\n";
        print $handle $content;
        close $handle or die "control/$file: $!\n";
    }
    kill $name, slurp("$OUT/send.pid") + 0 or die "qmail-send does not run\n";
    print "qmail-send gets $name\n";
}

# ---- what was seen, as expected.txt says it

sub session_lines {
    my ($number) = @_;
    my $one = $connections{$number};
    my @lines = map { s/\r\z//r } $one->{heard} =~ /([^\n]*)\n/g;
    return ((map { reply_line($_) } @lines), $one->{said_closed} ? 'closed' : ());
}

sub reply_line {
    my ($line) = @_;
    my ($code, $rest) = (substr($line, 0, 4), length $line > 4 ? substr $line, 4 : '');
    return escaped(hidden($line)) if $code !~ /^\d{3}/;
    my ($first) = split / /, $rest;
    $first = '' if !defined $first;
    my $upper = $first =~ /[A-Z]/ && $first !~ /[a-z]/;
    if ($code =~ /^250/ && ($code =~ /-\z/ || $upper)) { return escaped($code . ($first =~ /\./ ? '' : $rest)); }
    return substr($code, 0, 3) . " $1" if $rest =~ /#?(\d\.\d{1,3}\.\d{1,3})/;
    $code =~ s/\s+\z//;
    return $code;
}

sub entries { my ($directory) = @_; opendir my $handle, $directory or return; return grep { !/^\./ } readdir $handle; }

sub queued {
    my @found;
    my $queue = "$QMAIL/queue";
    for my $part (entries("$queue/mess")) {
        for my $id (entries("$queue/mess/$part")) {
            my $envelope = slurp("$queue/todo/$id") || join '', map { slurp("$queue/$_/$part/$id") } 'info', 'local', 'remote';
            next if $envelope eq '';
            my @fields = split /\0/, $envelope;
            my ($sender) = map { /^F(.*)/s ? $1 : () } @fields;
            my $to = join ', ', map { /^T(.*)/s ? '<' . escaped(hidden($1)) . '>' : () } @fields;
            my $message = slurp("$queue/mess/$part/$id");
            my $protocol = $message =~ /^  by .* with ([A-Za-z]+)[; ]/m ? "with $1" : 'without a Received line';
            push @found, 'queue: from <' . escaped(hidden($sender)) . "> to $to $protocol";
        }
    }
    return sort @found;
}

sub exchanged {
    my @found;
    for my $log (entries("$OUT/exchanges")) {
        my ($address) = $log =~ /^(.*)-\d+\z/;
        push @found, map { /^> (.*)/ && $1 ne 'QUIT' ? "exchanger $address: $1" : () } lines_of("$OUT/exchanges/$log");
    }
    return sort @found;
}

sub mailboxes {
    my @found;
    for my $line (lines_of("$HERE/users/accounts")) {
        my ($name, undef, $home) = split / /, $line;
        my $count = entries("$home/Maildir/new");
        push @found, "mailbox $name: $count" if $count;
    }
    return sort @found;
}

sub programs {
    my $directory = '/var/lib/conformance/runs';
    my @found;
    for my $pid (lines_of("$directory/order")) {
        my ($program, $count, @rest) = split /\0/, slurp("$directory/$pid"), -1;
        my ($descriptors, $user, undef, $accepted, @environment) = @rest[$count + 7 .. $#rest];
        my %found = map { split /=/, $_, 2 } grep { /=/ } @environment;
        $descriptors =~ s{queue/mess/\d+/\d+}{queue/mess/N/N}g;    # numbers of files
        my @said = join ', ', split /\n/, $descriptors;
        push @said, map { "$_=$found{$_}" } grep { defined $found{$_} } qw(SENDER RECIPIENT TCPREMOTEINFO RELAYCLIENT);
        push @said, $user . ($accepted ? ' right' : ' wrong') if $program eq 'checkpassword';
        push @said, slurp("$directory/$pid.envelope") if -s "$directory/$pid.envelope";
        push @found, map { "program $program: " . escaped($_) } @said;
    }
    return @found;
}

sub observe {
    my %asked = map { my @words = split / /; ("dns: " . lc(shift @words) . " @words" => 1) } lines_of("$OUT/questions");
    @observed = ((sort keys %asked), exchanged(), queued(), mailboxes(), programs());
}

sub seen {
    return (
        (map { my $number = $_; map { "smtpd $number: $_" } session_lines($number) } @order),
        (map { my $number = $_; map { "qmail-remote $number: $_" } @{ $deliveries[$number] } } 0 .. $#deliveries),
        @observed,
    );
}

sub start {
    $SIG{PIPE} = 'IGNORE';
    mkdir "$OUT/exchanges";
    for (lines_of("$HERE/steps.txt")) {
        next if /^#/ || /^\s*\z/;
        my ($kind, $number, @words) = map { filled(unescaped($_)) } split /\t/, $_, -1;
        if ($kind eq 'connect') { connect_to_smtpd($number); }
        elsif ($kind eq 'send') { say_octets($number, $words[0]); }
        elsif ($kind eq 'cram') { cram($number, $words[0]); }
        elsif ($kind eq 'replies') { replies($number, $words[0]); }
        elsif ($kind eq 'silence') { hear($number, $words[0]); }
        elsif ($kind eq 'closed') { 1 while hear($number, $PATIENCE); $connections{$number}{said_closed} = $connections{$number}{closed}; }
        elsif ($kind eq 'pause') { select undef, undef, undef, $words[0]; }
        elsif ($kind eq 'shut') { shutdown $connections{$number}{handle}, 1; }
        elsif ($kind eq 'close') { close $connections{$number}{handle}; }
        elsif ($kind eq 'remote') { remote($number, @words); }
        elsif ($kind eq 'wait-until-idle') { wait_until_idle(); }
        elsif ($kind eq 'signal') { signal_send($number, @words); }
        elsif ($kind eq 'observe') { observe(); }
        else { die "steps.txt: there is no step $kind\n"; }
    }
    for my $log (sort(entries("$OUT/exchanges"))) {
        print "\nat the exchanger $log:\n", map { "  $_\n" } lines_of("$OUT/exchanges/$log");
    }
    my @asked = lines_of("$OUT/questions");
    print "\nthe questions that were asked:\n", map { "  $_\n" } @asked if @asked;
    open my $file, '>', "$OUT/seen.txt" or die "seen.txt: $!\n";
    print $file map { "$_\n" } seen();
    close $file or die "seen.txt: $!\n";
}

start() unless caller;
