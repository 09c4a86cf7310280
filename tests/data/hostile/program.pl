#!/usr/bin/perl
# In the place of one of qmail's programs: does what the control file `attack` says, where it names this program,
# and then is the program whose place it took.
use strict;
use warnings;
use POSIX ();
use Socket;

my ($home, $name) = $0 =~ m{(.*)/bin/([^/]+)\z};
my $STATE = '/var/lib/conformance';
$^F = 1 << 16;    # what is opened here stays open in that program

sub take {
    my ($address, $port, $kind) = @_;
    socket my $taken, PF_INET, $kind, 0;
    setsockopt $taken, SOL_SOCKET, SO_REUSEADDR, 1;
    return if !bind $taken, sockaddr_in($port, inet_aton($address));
    listen $taken, 9 if $kind == SOCK_STREAM;
    our @held = (@held, $taken);
}

sub beside {
    my ($work) = @_;
    return if fork;
    POSIX::setsid();
    $work->();
    POSIX::_exit(0);
}

sub replace {
    my ($path, $content) = @_;
    open my $file, '>', $path or return;
    print $file $content;
    close $file;
}

my %attacks = (
    'takes-dns' => sub { take('127.0.0.1', 53, SOCK_DGRAM) },
    'takes-exchanger' => sub { take('127.0.0.2', 25, SOCK_STREAM) },
    'kills-tcpserver' => sub { kill 'KILL', getppid },
    'ends-the-agent' => sub { kill 'TERM', 1 },
    'kills-everything' => sub { kill 'KILL', -1 },
    'asks-another-server' => sub { replace('/etc/resolv.conf', "nameserver 127.0.0.9\n") },
    'fills-the-disk' => sub {
        open my $file, '>', "$STATE/runs/large";
        1 while syswrite $file, "x" x (1 << 20);
    },
    # One that is refused sleeps, so that the machine is not busy with refusals. The session goes on behind the
    # first of them: on a slow machine it would have come to its end before the limit was reached.
    'forks-without-end' => sub {
        pipe my $told, my $tells;
        beside(sub {
            while (1) {
                next if defined fork;
                syswrite $tells, 'refused';
                select undef, undef, undef, 0.5;
            }
        });
        sysread $told, my $refusal, 7;
    },
    'eats-memory' => sub { my @eaten; push @eaten, 'x' x (1 << 24) for 1 .. 200; },
    # On a terminal of its own it looks like what a person has started.
    'outlives-the-case' => sub {
        beside(sub {
            open my $terminal, '+<', '/dev/ptmx' or return;
            my $number = my $unlocked = "\0" x 4;
            ioctl $terminal, 0x40045431, $unlocked;    # TIOCSPTLCK
            ioctl $terminal, 0x80045430, $number;    # TIOCGPTN
            open my $other, '+<', '/dev/pts/' . unpack 'i', $number or return;
            ioctl $other, 0x540E, 0;    # TIOCSCTTY
            close $_ for \*STDIN, \*STDOUT;
            take('127.0.0.3', 25, SOCK_STREAM);
            sleep 1000;
        });
    },
);

if (open my $file, '<', "$home/control/attack") {
    my ($attack, $of) = split ' ', <$file>;
    $attacks{$attack}->() if $of eq $name;
}
exec "$0.real", @ARGV;
