#!/usr/bin/perl
# PID 1 of a target container: sets qmail up for a case, runs it, and says what stands in it.
#
# It serves requests on 127.0.0.1:7025, one after another, over the one connection that the internet
# container keeps. A request and an answer are each a list of octet strings, as is written at `encode`; the first
# item of a request is the operation, the first item of an answer is "ok" or "failure". When that connection
# closes, the agent ends, and with it the container. Needs no more of Perl than perl-base has.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use Fcntl qw(F_GETFL F_SETFL O_CREAT O_NONBLOCK O_RDONLY O_TRUNC O_WRONLY);
use POSIX qw(:sys_wait_h);
use Socket;

my $QMAIL = '/var/lib/qmail';
my $STATE = '/var/lib/conformance';    # a tmpfs: the queue, homes, programs, logs
my $PRISTINE = '/opt/conformance/queue';    # the queue as the package made it
my $DRAINING = 0.05;    # seconds after which qmail-send's pipe is read although nobody asks
my $GATHERING = 0.0005;    # seconds in which qmail-send's lines gather
my $PATIENCE = 60;    # seconds without any control connection

my ($control, $received) = (undef, '');
my %exited;    # statuses of children that have been waited for
my %ids;    # name of a system account => [uid, gid]
my $remote_gid;    # qmail-remote's group
my %users;    # name => [uid, home]
my %arrivals;    # where a delivery leaves a message, the new of a Maildir => name of its user
my @passages;    # the Maildirs' tmp
my @fixture_dots;    # [path, content]: dot-qmail files that every case finds
my $fixture_dots_stand = 0;    # these, and no others
my %dots;    # path => content of the dot-qmail files that stand, which only we write; undef: the packages'
my %kept;    # path => content of the files that we alone write
my $homes_stand = 0;    # the homes are as the fixtures have them: no mail, no further dot-qmail files
my $tcpserver = 0;
my @groups;    # process groups that run for the case
my $split = 23;
my @messes;    # the directories of the queue's messages
my $empty = -1;    # size of a directory that holds nothing, where the size tells
my $counter;    # where this container's control group counts its processes, if it does
my $idle = -1;    # its processes while no case runs
my $send = { pid => 0 };    # qmail-send: pid, pipe, text, lines, counts

main() unless caller;

# ---- lists of octet strings: pure

# Four octets of length (big-endian), then the items, each after four octets of its own length: `pack` and
# `unpack` take a list apart twenty times as fast as anything that is written in Perl.
sub encode { return pack 'N/a*', pack '(N/a*)*', @_; }

# The content of the first list of a buffer and where it ends; nothing when it is not all there yet.
sub first_list {
    my ($buffer) = @_;
    return if length $$buffer < 4;
    my $end = 4 + unpack 'N', $$buffer;
    return if length $$buffer < $end;
    return (substr($$buffer, 4, $end - 4), $end);
}

sub decode {
    my ($content) = @_;
    my @items = unpack '(N/a*)*', $content;
    die "a list of octet strings is cut off\n" if pack('(N/a*)*', @items) ne $content;
    return @items;
}

# ---- files and processes

# This and `slurp` go without a file handle of Perl's, which would cost as much again.
sub spew {
    my ($path, $content, $mode, $uid, $gid) = @_;
    my $file = POSIX::open($path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    die "$path: $!\n" if !defined $file;
    while (length $content) {
        my $count = POSIX::write($file, $content, length $content) or die "$path: $!\n";
        substr($content, 0, $count) = '';
    }
    POSIX::close($file);
    chown $uid, $gid, $path if defined $uid;
    chmod $mode, $path if defined $mode;
}

# As `spew`, for files that nobody else may write, where something else stands: that is known without a look.
sub keep {
    my ($path, $content, $mode) = @_;
    return if defined $kept{$path} && $kept{$path} eq $content;
    spew($path, $content, $mode);
    $kept{$path} = $content;
}

sub keep_no_more { delete $kept{$_} for @_; unlink @_; }

sub slurp {
    my ($path) = @_;
    my $file = POSIX::open($path, O_RDONLY);
    return if !defined $file;
    my ($content, $part) = ('');
    $content .= $part while (POSIX::read($file, $part, 65536) || 0) > 0;    # at the end it is "0 but true"
    POSIX::close($file);
    return $content;
}

sub entries {
    my ($directory) = @_;
    opendir my $handle, $directory or return;
    return grep { $_ ne '.' && $_ ne '..' } readdir $handle;
}

# Those of some directories below $STATE that may hold anything. On a tmpfs the size tells, and to read one takes
# three times as long; where it does not tell, all may.
sub holding { return grep { (-s $_ || 0) != $empty } @_; }

sub learn_size_of_empty {
    my ($below) = @_;
    my $probe = "$below/probe";
    mkdir $probe;
    $empty = -s $probe || 0;
    spew("$probe/file", '');
    $empty = -1 if (-s $probe || 0) == $empty;
    unlink "$probe/file";
    rmdir $probe;
}

sub id {
    my ($user) = @_;
    my $known = $ids{$user} ||= [(getpwnam $user)[2, 3]];
    die "there is no user $user\n" if !defined $known->[0];
    return @$known;
}

# Fork; in the child the block sets descriptors up and execs. What runs `$for_the_case` leads a process group.
# We go on when it has: until then the kernel copies each page that we write, which costs a tenth of a delivery.
# The block is given what holds us up, for one that does not exec.
sub spawn {
    my ($child, $for_the_case) = @_;
    pipe my $runs, my $holds or die "pipe: $!\n";    # closed by exec, as all of Perl's own
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if ($pid) {
        close $holds;
        sysread $runs, my $nothing, 1;
        push @groups, $pid if $for_the_case;
        return $pid;
    }
    POSIX::setpgid(0, 0) if $for_the_case;
    $SIG{TERM} = $SIG{PIPE} = 'DEFAULT';
    eval { $child->($holds) };
    POSIX::_exit(111);
}

# A tcpserver listens when the kernel says so; to connect would already start a session. `$port` in hexadecimal.
sub await_listener {
    my ($pid, $port) = @_;
    until ((slurp('/proc/net/tcp') || '') =~ /: 0100007F:$port 00000000:0000 0A/) {
        select undef, undef, undef, 0.001;
        die "tcpserver ended: status $?\n" if waitpid($pid, WNOHANG) == $pid;
    }
}

sub run {
    my ($input, @command) = @_;
    my $pid = spawn(sub {
        chdir $QMAIL;
        open STDIN, '<', $input;
        exec @command;
    });
    waitpid $pid, 0;
    die "$command[0] failed: status $?\n" if $?;
}

sub become {
    my ($uid, $gid) = @_;
    $( = $gid;
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    die "uid $uid: $!\n" if $> != $uid || $< != $uid;
}

sub reap {
    while ((my $pid = waitpid -1, WNOHANG) > 0) { $exited{$pid} = $?; }
}

# What runs for a case: everything but ourselves, tcpserver, and what a person started on a terminal.
sub case_processes {
    return grep {
        my $stat = slurp("/proc/$_/stat");
        defined $stat && $stat =~ /\) (\S) \d+ \d+ \d+ (-?\d+)/ && $1 ne 'Z' && $2 == 0;
    } grep { /^\d+$/ && $_ != $$ && $_ != $tcpserver } entries('/proc');
}

# To look through /proc costs as much as all else of a reset together, and after most cases nothing runs.
sub processes {
    return -1 if !defined $counter;
    return (slurp($counter) || '') =~ /^(\d+)/ ? $1 : -1;
}

sub end_case_processes {
    # What loses its parent is ours: after this nothing of a group is left, and /proc need not be searched.
    for my $group (splice @groups) {
        kill 'KILL', -$group;
        1 while waitpid(-$group, 0) > 0;
    }
    reap();
    %exited = ();
    return if $idle > 0 && processes() == $idle;
    while (my @pids = case_processes()) {
        kill 'KILL', @pids;
        select undef, undef, undef, 0.0005;
        reap();
    }
    reap();
    %exited = ();
}

# ---- waiting: the control connection, and one more descriptor

sub finish { exit 0; }

# Wait up to `$seconds` for either of them, `$also` is a number; returns the seconds that passed and whether that
# one is ready. `select` tells the time on Linux, so no clock is needed (perl-base has none finer than a second).
sub pause {
    my ($seconds, $also) = @_;
    my $bits = '';
    vec($bits, fileno $control, 1) = 1 if $control;
    vec($bits, $also, 1) = 1 if defined $also;
    my ($found, $left) = select(my $ready = $bits, undef, undef, $seconds);
    $ready = '' if $found < 1;
    hear() if $control && vec $ready, fileno $control, 1;
    return ($seconds - $left, defined $also && vec $ready, $also, 1);
}

sub hear {
    my $count = sysread $control, $received, 1 << 16, length $received;
    return if !defined $count && ($! == EAGAIN || $! == EINTR);
    finish() if !$count;
}

sub answer {
    my ($octets) = @_;
    my $at = 0;
    while ($at < length $octets) {
        my $count = syswrite $control, $octets, length($octets) - $at, $at;
        if (defined $count) { $at += $count; next; }
        finish() if $! != EAGAIN && $! != EINTR;
        vec(my $bits = '', fileno $control, 1) = 1;
        select undef, $bits, undef, 1;
    }
}

# ---- qmail-send

sub start_send {
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = spawn(sub {
        chdir '/';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $write;
        open STDERR, '>&', $write;
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec "$QMAIL/bin/qmail-start", './Maildir/';
    }, 'for the case');
    close $write;
    unblock($read);
    $send = { pid => $pid, pipe => $read, text => '', lines => [], live => {}, ended => {}, running => {} };
}

sub unblock { my ($handle) = @_; fcntl $handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK; }

# Take in what qmail-send has logged: which messages live, which deliveries are under way, how many were put off.
sub read_log {
    while (1) {
        my $count = sysread $send->{pipe}, $send->{text}, 65536, length $send->{text};
        delete $send->{pipe} if defined $count && !$count;
        last if !$count || $count < 65536;    # a pipe gives less when that was all
    }
    while ($send->{text} =~ s/^([^\n]*)\n//) {
        my $line = $1;
        push @{ $send->{lines} }, $line;
        if ($line =~ /^new msg (\d+)/) { $send->{live}{$1} = { local => 0, remote => 0 }; delete $send->{ended}{$1}; }
        elsif ($line =~ /^starting delivery (\d+): msg (\d+) to (local|remote) /) { $send->{running}{$1} = [$2, $3]; }
        elsif ($line =~ /^delivery (\d+): (\w+)/) {
            my $ran = delete $send->{running}{$1};
            $send->{live}{ $ran->[0] }{ $ran->[1] }++ if $ran && $2 eq 'deferral';
        }
        elsif ($line =~ /^end msg (\d+)/) { delete $send->{live}{$1}; $send->{ended}{$1} = 1; }
    }
}

sub place { my ($kind, $id) = @_; return "$QMAIL/queue/$kind/" . $id % $split . "/$id"; }

# Whether nothing is under way and each recipient that is still to be done has been put off.
sub rests {
    return 1 if !$send->{pid};
    return 0 if %{ $send->{running} } || map { entries($_) } holding("$STATE/queue/todo");
    # The log must be read after todo was seen empty: what left todo since has been logged by then. A line
    # that came in between may be the end of a message whose bounce has entered todo: look at all again.
    my $lines = @{ $send->{lines} };
    read_log() if $send->{pipe};
    return 0 if @{ $send->{lines} } > $lines || %{ $send->{running} } || length $send->{text};
    for my $id (keys %{ $send->{live} }) {
        my $waiting = 0;
        for my $channel ('local', 'remote') {
            my $recipients = slurp(place($channel, $id));
            my @to_do = grep { /^T/ } split /\0/, defined $recipients ? $recipients : '';
            return 0 if @to_do != $send->{live}{$id}{$channel};
            $waiting += @to_do;
        }
        return 0 if !$waiting;    # all are done: its end, or a bounce, is about to come
    }
    for my $id (keys %{ $send->{ended} }) {
        return 0 if -e place('info', $id) || -e place('mess', $id);
    }
    return 1;
}

sub settle {
    my ($limit) = @_;
    my $left = $limit / 1000;
    read_log() if $send->{pipe};
    while (!rests()) {
        return ('0') if $left <= 0 || !$send->{pipe};
        # A delivery's end is in the log. What is not (an unlinked file) is looked for again after 5 ms at most.
        my $turn = %{ $send->{running} } || $left < 0.005 ? $left : 0.005;
        my ($passed) = pause($turn, fileno $send->{pipe});
        $left -= $passed;
        # Where one line comes others are about to: to be woken by each costs more than to wait for them.
        select undef, undef, undef, $GATHERING;
        $left -= $GATHERING;
        read_log() if $send->{pipe};
    }
    return ('1');
}

# ---- qmail-verify

# It serves when the kernel says that its port is bound: 127.0.0.1:11113 over UDP. What is mute takes questions
# there and answers none.
sub start_verify {
    my ($kind) = @_;
    my $pid = spawn(sub {
        if ($kind eq 'mute') {
            socket my $mute, PF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
            bind $mute, sockaddr_in(11113, INADDR_LOOPBACK) or die "bind: $!\n";
            close $_[0];
            select undef, undef, undef, undef;
        }
        chdir '/';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec "$QMAIL/bin/qmail-verify";
    }, 'for the case');
    until ((slurp('/proc/net/udp') || '') =~ /: 0100007F:2B69 /) {
        select undef, undef, undef, 0.001;
        die "qmail-verify ended: status $?\n" if waitpid($pid, WNOHANG) == $pid;
    }
}

# ---- qmail-remote

# Run qmail-remote as qmail-rspawn does: same user, directory and descriptors.
sub remote {
    my ($limit, $message, @arguments) = @_;
    my ($uid, $gid) = remote_ids();
    keep("$STATE/message", $message);
    my ($read, $write) = POSIX::pipe();
    my $pid = spawn(sub {
        POSIX::dup2(POSIX::open("$STATE/message", O_RDONLY), 0);
        POSIX::dup2($write, $_) for 1, 2;
        POSIX::close($_) for $read, $write;
        become($uid, $gid);
        chdir "$QMAIL/queue/mess";
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec "$QMAIL/bin/qmail-remote", @arguments;
    });
    POSIX::close($write);
    my ($report, $spent, $open) = ('', 0, 1);
    $limit /= 1000;
    while ($spent < $limit) {
        # Once its output is closed it is about to exit; that alone is waited for in short turns.
        my $turn = $limit - $spent;
        $turn = 0.001 if !$open && $turn > 0.001;
        my ($passed, $ready) = pause($turn, $open ? $read : undef);
        $spent += $passed;
        if ($ready) {
            my $count = POSIX::read($read, my $part, 65536) || 0;    # at the end it is "0 but true"
            if ($count > 0) { $report .= $part; next; }
            $open = 0;
        }
        reap();
        last if exists $exited{$pid} && !$open;
    }
    POSIX::close($read);
    my $ended = exists $exited{$pid};
    if (!$ended) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        $exited{$pid} = $?;
    }
    my $status = delete $exited{$pid};
    return ($report, $status & 127 ? -($status & 127) : $status >> 8, $ended ? 1 : 0, sprintf '%.6f', $spent);
}

sub remote_ids {
    $remote_gid = getgrnam 'qmail' if !defined $remote_gid;
    return ((id('qmailr'))[0], $remote_gid);
}

# For measurements: each connection to 127.0.0.1:7026 is one qmail-remote with these arguments, the message in
# and the report out. It ends with the case.
sub remotes {
    my @arguments = @_;
    my ($uid, $gid) = remote_ids();
    my $pid = spawn(sub {
        chdir "$QMAIL/queue/mess";
        open STDIN, '<', '/dev/null';
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec 'tcpserver', '-H', '-R', '-l0', '-b', 200, '-c', 200, '-u', $uid, '-g', $gid,
            '127.0.0.1', 7026, "$QMAIL/bin/qmail-remote", @arguments;
    }, 'for the case');
    await_listener($pid, '1B72');
    return;
}

# Seconds of CPU that this container has had; "" where its control group cannot be read.
sub cpu {
    return $1 / 1e6 if (slurp('/sys/fs/cgroup/cpu.stat') || '') =~ /^usage_usec (\d+)/m;
    return (slurp('/sys/fs/cgroup/cpuacct/cpuacct.usage') || '') =~ /^(\d+)/ ? $1 / 1e9 : '';
}

# ---- setting a case up

# A list of kind, name, value: "user" NAME "", "password" NAME PASSWORD, "dot-qmail" NAME/FILE CONTENT.
# Makes qmail's table of users, the checkprogram's passwords, homes and Maildirs.
sub make_users {
    my @items = @_;
    my ($gid, $uid, $assign, $passwords) = (2000, 2001, '', '');
    @fixture_dots = ();
    $homes_stand = $fixture_dots_stand = 0;
    # The one home that is not on the tmpfs has its mail there.
    %users = (alias => [(id('alias'))[0], "$QMAIL/alias"]);
    my %maildirs = (alias => "$STATE/homes/alias");
    symlink $maildirs{alias}, "$QMAIL/alias/Maildir" if !-e "$QMAIL/alias/Maildir";
    while (my ($kind, $name, $value) = splice @items, 0, 3) {
        if ($kind eq 'dot-qmail') { push @fixture_dots, [$name, $value]; next; }
        if ($kind eq 'password') { $passwords .= "$name\0$value\0"; next; }
        my $home = "$STATE/homes/$name";
        $users{$name} = [$uid, $home];
        $maildirs{$name} = "$home/Maildir";
        $assign .= "=$name:$name:$uid:$gid:${home}:::\n+$name-:$name:$uid:$gid:${home}:-::\n";
        $uid++;
    }
    %dots = ();
    %arrivals = map { ("$maildirs{$_}/new" => $_) } keys %maildirs;
    @passages = map { "$_/tmp" } values %maildirs;
    for my $name (keys %users) {
        my ($owner, $home, $maildir) = (@{ $users{$name} }, $maildirs{$name});
        for my $directory ($home, map { "$maildir$_" } '', '/new', '/cur', '/tmp') {
            next if -d $directory;
            mkdir $directory, 0755 or die "$directory: $!\n";
            chown $owner, $gid, $directory;
        }
        $dots{"$home/$_"} = undef for grep { /^\.qmail/ } entries($home);
    }
    spew("$STATE/passwords", $passwords, 0400, id('qmaild'));
    spew("$QMAIL/users/assign", "$assign.\n", 0644);
    run('/dev/null', "$QMAIL/bin/qmail-newu");
    return;
}

sub empty_out { for my $directory (holding(@_)) { unlink map { "$directory/$_" } entries($directory); } }

# The numbers of the messages in the queue. A message's file in mess is made before its others and removed after
# them (qmail's INTERNALS, 2 and 3), so nothing else needs to be searched.
sub messages {
    return map { entries($_) } holding(@messes);
}

sub clear {
    my $queue = "$STATE/queue";
    for my $id (messages()) {
        unlink map({ place($_, $id) } 'info', 'local', 'remote', 'mess'),
            map { "$queue/$_/$id" } 'todo', 'intd', 'bounce';
    }
    empty_out("$queue/pid", "$STATE/runs");
    my ($failed, $none) = ("$queue/lock/tcpto", "\0" x 1024);    # hosts that failed are forgotten
    spew($failed, $none) if (slurp($failed) || '') ne $none;
    truncate "$STATE/smtpd.log", 0 if -s "$STATE/smtpd.log";
}

# The homes without mail, and with no dot-qmail files but those of the fixtures and these: pairs of OWNER/FILE
# and content, the last counts.
sub set_homes {
    my %wanted;
    empty_out(keys %arrivals, @passages);
    return if $fixture_dots_stand && !@_;
    for my $dot (@fixture_dots, @_) {
        my ($path, $content) = @$dot;
        my ($name, $file) = $path =~ m{^([^/]+)/(\.qmail[^/]*)\z} or die "dot-qmail file $path: OWNER/.qmail-NAME\n";
        my $user = $users{$name} or die "dot-qmail file $path: there is no user $name\n";
        $wanted{"$user->[1]/$file"} = [$content, $user->[0]];
    }
    $fixture_dots_stand = 0;
    for my $path (grep { !$wanted{$_} } keys %dots) { unlink $path; delete $dots{$path}; }
    while (my ($path, $wants) = each %wanted) {
        my ($content, $uid) = @$wants;
        next if defined $dots{$path} && $dots{$path} eq $content;
        spew($path, $content, 0644, $uid, 2000);
        $dots{$path} = $content;
    }
    $fixture_dots_stand = !@_;
}

# A list of kind, name, value: what the case finds; whatever is not named is gone.
sub prepare {
    my @items = @_;
    end_case_processes();
    $send = { pid => 0 };
    clear();
    my ($delivering, $verifying, @dots) = (0, '');
    my %wanted = ("$STATE/message" => 1);
    while (my ($kind, $name, $value) = splice @items, 0, 3) {
        if ($kind eq 'control') {
            die "control file $name: a name without a directory\n" if $name =~ m{/} || $name eq '';
            my $path = "$QMAIL/control/$name";
            keep($path, $value, 0644);
            $wanted{$path} = 1;
            next if $name ne 'morercpthosts';
            run('/dev/null', "$QMAIL/bin/qmail-newmrh");
            $wanted{"$path.cdb"} = 1;
            $kept{"$path.cdb"} = '';    # whatever it holds: it is made anew each time
        }
        elsif ($kind eq 'program') {
            keep("$STATE/$name", $value, 0755);
            $wanted{"$STATE/$name"} = 1;
        }
        elsif ($kind eq 'dot-qmail') { push @dots, [$name, $value]; }
        elsif ($kind eq 'resolver') {
            keep('/etc/resolv.conf', "nameserver 127.0.0.1\noptions $value\n");
            $wanted{'/etc/resolv.conf'} = 1;
        }
        elsif ($kind eq 'delivering') { $delivering = 1; }
        elsif ($kind eq 'verifying') { $verifying = $value || 'qmail-verify'; }
        else { die "prepare: unknown item $kind\n"; }
    }
    keep_no_more(grep { !$wanted{$_} } keys %kept);
    # Nothing writes into homes but deliveries, and we.
    set_homes(@dots) if @dots || !$homes_stand;
    $homes_stand = !@dots && !$delivering;
    start_send() if $delivering;
    start_verify($verifying) if $verifying;
    return;
}

# ---- what can be seen

sub nul_fields { my ($text, $letters) = @_; return map { substr $_, 1 } grep { /^[$letters]/ } split /\0/, $text; }

# A message that is accepted is in todo until qmail-send, where it runs, has taken it over, and logged that before.
sub accepted {
    my %ids = map { $_ => 1 } map { entries($_) } holding("$STATE/queue/todo");
    read_log() if $send->{pipe};
    return (keys %ids, grep { !$ids{$_} } keys %{ $send->{live} || {} });
}

sub queued {
    my @found;
    for my $id (accepted()) {
        my $envelope = slurp("$QMAIL/queue/todo/$id");
        if (!defined $envelope) {
            $envelope = slurp(place('info', $id));
            next if !defined $envelope;    # not yet accepted, or already at its end
            $envelope .= join '', grep { defined } map { slurp(place($_, $id)) } 'local', 'remote';
        }
        my $octets = slurp(place('mess', $id));
        next if !defined $octets;
        my ($sender) = nul_fields($envelope, 'F');
        my ($order) = $octets =~ /\(qmail (\d+) /;
        push @found, [$order || 0, 'queued', $sender, join('', map { "$_\0" } nul_fields($envelope, 'T')), $octets];
    }
    return map { @$_[1 .. 4] } sort { $a->[0] <=> $b->[0] } @found;
}

sub delivered {
    my @found;
    return if $homes_stand;
    for my $new (holding(sort keys %arrivals)) {
        # TIME.PID.HOST: the order of arrival
        my @files = map { $_->[2] } sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] }
            map { my ($time, $pid) = /^(\d+)\.\D*(\d+)/; [$time || 0, $pid || 0, $_] } entries($new);
        push @found, map { ('mail', $arrivals{$new}, slurp("$new/$_"), '') } @files;
    }
    return @found;
}

sub look {
    my @queued = queued();
    my $order = holding("$STATE/runs") ? slurp("$STATE/runs/order") : '';
    my $log = -s "$STATE/smtpd.log" ? slurp("$STATE/smtpd.log") : '';
    $log .= join '', map { "$_\n" } @{ $send->{lines} || [] };
    return (
        @queued, delivered(),
        (map { ('run', slurp("$STATE/runs/$_"), '', '') } split /\n/, defined $order ? $order : ''),
        'log', $log, '', '',
    );
}

# ---- life

sub set_up {
    umask 022;
    $ENV{PATH} = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    chmod 0755, $STATE;
    my ($uid, $gid) = id('qmaild');
    run('/dev/null', 'cp', '-a', $PRISTINE, "$STATE/queue");
    $split = () = entries("$STATE/queue/mess");
    @messes = map { "$STATE/queue/mess/$_" } 0 .. $split - 1;
    learn_size_of_empty($STATE);
    mkdir "$STATE/$_" for 'homes', 'runs';
    chown $uid, $gid, "$STATE/runs";
    spew("$STATE/smtpd.log", '', 0644, $uid, $gid);
    keep("$STATE/session", "#!/bin/sh\nexec $QMAIL/bin/qmail-smtpd\n", 0755);
    keep('/etc/resolv.conf', "nameserver 127.0.0.1\n");
    $kept{$_} = '' for grep { -f } map { "$QMAIL/control/$_" } entries("$QMAIL/control");    # until the first case
    make_users();
    $tcpserver = spawn(sub {
        chdir '/';
        open STDIN, '<', '/dev/null';
        %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
        exec 'tcpserver', '-H', '-R', '-l0', '-b', 200, '-c', 200, '-u', $uid, '-g', $gid,
            '127.0.0.1', 25, '/bin/sh', "$STATE/session";
    });
    await_listener($tcpserver, '0019');
    ($counter) = grep { -r } map { "/sys/fs/cgroup$_/pids.current" } '', '/pids';
    $idle = processes();
}

sub serve {
    my ($listener) = @_;
    my $waited = 0;
    while (!$control) {
        vec(my $bits = '', fileno $listener, 1) = 1;
        my ($found, $left) = select $bits, undef, undef, $PATIENCE - $waited;
        finish() if !$found;
        accept $control, $listener if $found > 0;
        $waited = $PATIENCE - $left;
    }
    close $listener;
    setsockopt $control, 6, 1, 1;    # TCP_NODELAY
    unblock($control);
    my %operations = (
        users => \&make_users, prepare => \&prepare, remote => \&remote, settle => \&settle, look => \&look,
        remotes => \&remotes, cpu => \&cpu,
    );
    # Another operation, and what can be seen then: a request of its own for that would cost as much as a look.
    $operations{then_look} = sub { my $name = shift; return ($operations{$name}->(@_), look()); };
    while (1) {
        my ($content, $end) = first_list(\$received);
        if (!defined $end) {
            # qmail-send writes its log word by word: to be woken by each would cost more than the case. What the
            # pipe can hold is taken out now and then.
            my ($passed) = pause($send->{pipe} ? $DRAINING : 10);
            read_log() if $send->{pipe} && $passed >= $DRAINING;
            reap();
            next;
        }
        substr($received, 0, $end) = '';
        my ($name, @items) = decode($content);
        finish() if $name eq 'exit';
        my $operation = $operations{$name} || sub { die "there is no operation $name\n" };
        my @answer = eval { ('ok', $operation->(@items)) };
        @answer = ('failure', $@) if $@;
        answer(encode(@answer));
    }
}

sub main {
    $SIG{TERM} = $SIG{INT} = \&finish;
    $SIG{PIPE} = 'IGNORE';
    socket my $listener, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    set_up();
    setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
    bind $listener, sockaddr_in(7025, INADDR_LOOPBACK) or die "127.0.0.1:7025: $!\n";
    listen $listener, 5;
    serve($listener);
}
