#!/usr/bin/perl
# The remote mail exchangers of exchangers.txt, each on its own loopback address, playing their scripts.
#
# A line of that file: `exchanger ADDRESS PORT HOST`, and about that one `extension WORD`, `auth METHOD`,
# `user NAME PASSWORD`, `no-ehlo`, `silent` (no attempt to connect is answered), `accepts METHOD` (of AUTH, announced or
# not; "" for none), `pace SECONDS` (between two octets of a reply), and `step NAME REPLY`, fields divided by tabs. A step that stands more than once has its replies used up in order, the last one repeating.
# Steps: connect (the greeting), EHLO, HELO, challenge, AUTH (the verdict on credentials), MAIL, RCPT, RCPT <ADDRESS>,
# DATA, message (after the final dot), RSET, NOOP, QUIT, * (any other verb). A reply may be, or end with "; " and,
# close, reset, stall or deaf (nothing is read). Needs no more of Perl than perl-base has.
use strict;
use warnings;
use Socket;
my ($directory) = __FILE__ =~ m{^(.*)/};
require "$directory/common.pl";
our ($HERE, $OUT);
require "$HERE/programs/checkpassword" if -e "$HERE/programs/checkpassword";    # for cram_md5

my ($one, $socket, $log, %used, $unread, $over);
my %session;

sub read_exchangers {
    my @found;
    for (lines_of("$HERE/exchangers.txt")) {
        next if /^#/ || /^\s*\z/;
        my ($kind, @words) = map { filled(unescaped($_)) } split /\t/, $_, -1;
        if ($kind eq 'exchanger') { push @found, { address => $words[0], port => $words[1], host => $words[2], steps => {}, users => {} }; }
        elsif ($kind eq 'step') { push @{ $found[-1]{steps}{ $words[0] } }, $words[1]; }
        elsif ($kind eq 'user') { $found[-1]{users}{ $words[0] } = $words[1]; }
        else { push @{ $found[-1]{$kind} }, @words ? @words : 1; }
    }
    return @found;
}

sub keep { my ($sign, $text) = @_; syswrite $log, "$sign " . escaped(hidden($text)) . "\n"; }

sub say_line {
    my ($text) = @_;
    keep('<', $_) for split /\r\n/, $text, -1;
    my $pace = $one->{pace} ? $one->{pace}[0] : 0;
    for my $octets ($pace ? split //, "$text\r\n" : "$text\r\n") {
        syswrite $socket, $octets;
        select undef, undef, undef, $pace if $pace;
    }
}

# Say the reply to a step and do what it asks for; the first digit of its code, 0 without one.
sub reply {
    my ($step, $default, $particular) = @_;
    $step = $particular if defined $particular && $one->{steps}{$particular};
    my $scripted = $one->{steps}{$step};
    my $said = $default;
    if ($scripted) {
        my $turn = $used{$step}++;
        $said = $scripted->[$turn < @$scripted ? $turn : -1];
        $said = $default if $said eq '';
    }
    my $act = '';
    if ($said =~ s/(^|;)\s*(close|reset|stall|deaf)\s*\z//) { $act = $2; $said =~ s/ +\z//; }
    say_line($said) if $said ne '';
    if ($act) {
        keep('!', $act);
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $act eq 'reset';
        if ($act eq 'deaf') { sleep 3600; }
        if ($act eq 'stall') { while (sysread $socket, $unread, 65536) { } }
        close $socket;
        $over = 1;
    }
    my ($last) = $said =~ /([^\n]*)\z/;
    return $last =~ /^(\d)\d\d(\D|\z)/ ? $1 : 0;
}

sub hear {
    my ($end) = @_;
    my $at;
    until (($at = index $unread, $end) >= 0) {
        return if !sysread $socket, $unread, 65536, length $unread;
    }
    return substr $unread, 0, $at + length $end, '';
}

sub line_heard {
    my $line = hear("\n");
    return if !defined $line;
    $line =~ s/\r?\n\z//;
    keep('>', $line);
    return $line;
}

sub address_in { my ($argument) = @_; return $argument =~ /<((?:"(?:\\.|[^"])*"|\\.|[^>"])*)>/s ? $1 : ''; }

sub greet {
    my ($verb) = @_;
    my @lines = ($one->{host}, @{ $one->{extension} || [] });
    push @lines, 'AUTH ' . join ' ', @{ $one->{auth} } if $one->{auth};
    my $default = join "\r\n", (map { "250-$_" } @lines[0 .. $#lines - 1]), "250 $lines[-1]";
    $default = "250 $one->{host}" if $verb eq 'HELO';
    $default = '502 unimplemented' if $verb eq 'EHLO' && $one->{'no-ehlo'};
    if (reply($verb, $default) == 2) {
        my $said = $one->{steps}{$verb} ? $one->{steps}{$verb}[0] : $default;
        $session{mail} = 0;
        $session{methods} = { map { uc($_) => 1 } map { split ' ' } $said =~ /^250[- ]AUTH[ =](.*?)\r?$/mig };
        $session{methods} = {} if $verb eq 'HELO';
    }
}

# What the client must say, one line after another, in base64.
sub authenticate {
    my ($argument) = @_;
    my ($method, $initial) = split ' ', $argument, 2;
    $method = uc(defined $method ? $method : '');
    return say_line('503 already authenticated') if $session{user};
    my %accepted = $one->{accepts} ? map { uc($_) => 1 } @{ $one->{accepts} } : %{ $session{methods} || {} };
    delete $accepted{''};
    return say_line('502 unimplemented') if !%accepted;
    my %prompts = (PLAIN => [''], LOGIN => ['Username:', 'Password:'], 'CRAM-MD5' => ["<1896.697170952\@$one->{host}>"]);
    return say_line('504 unrecognized authentication type') if !$accepted{$method} || !$prompts{$method};
    my @prompts = @{ $prompts{$method} };
    my ($challenge, @lines) = $prompts[0];
    if (defined $initial) { push @lines, from_base64($initial); shift @prompts; }
    for my $prompt (@prompts) {
        my $encoded = to_base64($prompt);
        return if reply('challenge', "334 $encoded") != 3;
        my $scripted = $one->{steps}{challenge};
        $challenge = from_base64(substr $scripted->[-1], 4) if $scripted && $method eq 'CRAM-MD5';
        my $line = line_heard();
        return $over = 1 if !defined $line;
        return say_line('501 authentication cancelled') if $line eq '*';
        push @lines, from_base64($line);
    }
    my $right = is_right($method, $challenge, @lines);
    $session{user} = 1 if reply('AUTH', $right ? '235 ok' : '535 authentication failed') == 2;
}

sub is_right {
    my ($method, $challenge, @lines) = @_;
    my ($user, $secret) = @lines;
    (undef, $user, $secret) = split /\0/, $lines[0], -1 if $method eq 'PLAIN';
    ($user, $secret) = $lines[0] =~ /^(.*) ([0-9a-f]*)\z/s if $method eq 'CRAM-MD5';
    return 0 if !defined $secret || !exists $one->{users}{$user};
    my $password = $one->{users}{$user};
    return $secret eq ($method eq 'CRAM-MD5' ? cram_md5($password, $challenge) : $password);
}

sub command {
    my ($line) = @_;
    my ($verb, $argument) = split / /, $line, 2;
    $verb = uc(defined $verb ? $verb : '');
    $argument = '' if !defined $argument;
    if ($verb eq 'EHLO' || $verb eq 'HELO') { greet($verb); }
    elsif ($verb eq 'AUTH') { authenticate($argument); }
    elsif ($verb eq 'MAIL') { if (reply('MAIL', '250 ok') == 2) { @session{ 'mail', 'rcpt' } = (1, 0); } }
    elsif ($verb eq 'RCPT') {
        my $default = $session{mail} ? '250 ok' : '503 MAIL first';
        $session{rcpt}++ if reply('RCPT', $default, 'RCPT <' . address_in($argument) . '>') == 2;
    }
    elsif ($verb eq 'DATA') {
        return if reply('DATA', $session{mail} && $session{rcpt} ? '354 go ahead' : '503 no recipients') != 3;
        $unread = "\r\n$unread";    # an empty message is `.` CRLF
        my $message = hear("\r\n.\r\n");
        return $over = 1 if !defined $message;
        keep('>', '(message)');
        $session{mail} = 0;
        reply('message', '250 ok');
    }
    elsif ($verb eq 'RSET') { $session{mail} = 0 if reply('RSET', '250 ok') == 2; }
    elsif ($verb eq 'NOOP') { reply('NOOP', '250 ok'); }
    elsif ($verb eq 'QUIT') { $over = 1 if reply('QUIT', "221 $one->{host}") == 2; }
    else { reply('*', '502 unimplemented'); }
}

sub talk {
    my ($number) = @_;
    open $log, '>', "$OUT/exchanges/$one->{address}:$one->{port}-$number" or die "log: $!\n";
    ($unread, $over, %used, %session) = ('', 0);
    reply('connect', "220 $one->{host} ESMTP");
    while (!$over) {
        my $line = line_heard();
        last if !defined $line;
        command($line);
    }
}

sub bound {
    socket my $listener, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
    my $place = sockaddr_in($one->{port}, inet_aton($one->{address}));
    bind $listener, $place or die "$one->{address}:$one->{port}: $!\n";
    # Linux drops attempts to connect to a listener whose queue is full.
    listen $listener, $one->{silent} ? 0 : 100;
    if ($one->{silent}) {
        socket my $filler, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        connect $filler, $place or die "$one->{address}: $!\n";
        $one->{filler} = $filler;
    }
    return $listener;
}

sub start {
    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
    my $number = 0;
    for my $exchanger (read_exchangers()) {
        $one = $exchanger;
        my $listener = bound();
        next if fork;    # it listens; whoever started it can go on
        while (1) {
            if ($one->{silent}) { sleep 3600; next; }
            accept $socket, $listener or next;
            $number++;
            if (!fork) { talk($number); exit 0; }
            close $socket;
        }
    }
}

start() unless caller;
