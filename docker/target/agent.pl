#!/usr/bin/perl
# PID 1 of a target container: sets qmail up for a case, runs it, and says what stands in it.
#
# It serves requests at $CONTROL_PORT of 127.0.0.1, one after another, over the one connection that the internet
# container keeps. A request and an answer are each a list of octet strings, as `encode` writes it; the first item of a
# request is the operation, the first item of an answer is "ok" or "failure". When that connection closes, the
# agent ends, and with it the container. Needs no more of Perl than perl-base has.
use strict;
use warnings;
use POSIX qw(:sys_wait_h);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);

my $QMAIL = readlink '/opt/conformance/qmail' or die "/opt/conformance/qmail: $!\n";    # where qmail is in this image
my $STATE = '/var/lib/conformance';    # a tmpfs: the queue, homes, programs, logs
my $PRISTINE = '/opt/conformance/queue';    # the queue as the package made it
my $PACKAGES = '/opt/conformance/packages';    # the .deb files of the build; in previous/ those of the one before
my $CONTROL_PORT = 7025;
my $REMOTES_PORT = 7026;
my $VERIFY_PORT = 11113;    # qmail-verify's own
my $GROUP = 2000;    # of the users
my $PATIENCE = 60;    # seconds without any control connection
my $TURN = 0.005;    # seconds between looks at whether qmail-send rests
my $BEAT = 0.1;    # seconds between looks at whether we were running
my $PAUSE = 1;    # so many seconds late at a stretch, somebody has paused us
my $LATE = 0.05;    # so many seconds late, nobody has kept us from running: the clock counts hundredths
my $MOST_REPORT = 1 << 20;    # octets that qmail-remote may print; qmail-rspawn keeps them all in its memory
my $ENDING = 2;    # seconds for a session to end whose connection has ended
my $ENDING_BESIDE = 0.2;    # the same while others are open, for which time passes too
my $MOST_SEEN = 8 << 20;    # octets of files that one look at the target takes in

my $control;    # the connection
my $received = '';    # what came over it and is no whole request yet
my $tcpserver = 0;    # the process at port 25
my @queue_dirs;    # the directories of the queue that hold files of messages
my @mess_dirs;    # of them, those with the messages themselves
my %uids;    # name of a user with a home => uid
my @programs;    # names of the case's own
my @fixture_dots;    # [path, content]: dot-qmail files that every case finds
my $resolver = '';    # what /etc/resolv.conf says, as we wrote it
my $ran = uptime();    # when we last looked
my $stood_still = 0;    # seconds in which we did not run though we were to
my $paused = 0;    # of them, those a second or more at a stretch
my $room = $MOST_SEEN;    # octets that the present look may still take in
my @shortages = (0, 0);    # before the case
my $refused = 0;    # processes that were refused for want of room, before the case
my $mute;    # the socket of a mute qmail-verify
my $modes = 0;    # whether a case has changed the homes themselves
my $control_dir;    # where control files stand, also when the link to it is gone
my $send = {};    # qmail-send: pid, and what it has logged, as `read_log` takes it in

# What a supervisor of services has, in the place of it: the names of programs and what they do. Maintainer scripts
# restart qmail-send by these.
my %SUPERVISOR = (
    '/usr/sbin/update-service' => '[ "$1" != --check ] || [ "${2##*/}" = qmail-send ]',
    map({ $_ => "echo \"\$*\" >>$STATE/services" }
        '/usr/local/sbin/svc', '/usr/local/sbin/sv', '/usr/local/sbin/invoke-rc.d', '/usr/local/sbin/systemctl'),
);

main() unless caller;

# ---- lists of octet strings

# Four octets of length (big-endian), then the items, each after four octets of its own length.
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

# ---- files

sub write_file {
    my ($path, $content, $mode, $uid, $gid) = @_;
    open my $file, '>', $path or die "$path: $!\n";
    print $file $content;
    close $file or die "$path: $!\n";
    chown $uid, $gid, $path if defined $uid;
    chmod $mode, $path if defined $mode;
}

# The content of a file; undef when there is none.
sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or return undef;
    local $/;
    return scalar <$file>;
}

# The content of a file, as far as there is room for it: no more of a flood goes into the record, and the words
# there say that it was one.
sub told {
    my ($path) = @_;
    open my $file, '<', $path or return undef;
    my $size = -s $file;
    my $whole = $size <= $room;
    read $file, my $content, $whole ? $size : $room;
    $room -= length $content;
    return $content . ($whole ? '' : "\n[cut off: the target holds more than $MOST_SEEN octets]\n");
}

sub entries {
    my ($directory) = @_;
    opendir my $handle, $directory or return;
    return grep { $_ ne '.' && $_ ne '..' } readdir $handle;
}

sub empty_out { for my $directory (@_) { unlink map { "$directory/$_" } entries($directory); } }

# Remove a file, or a directory with all that is in it.
sub remove {
    my ($path) = @_;
    return if unlink $path;    # Perl lets root unlink no directory
    remove("$path/$_") for entries($path);
    rmdir $path;
}

# ---- processes

sub ids {
    my ($user) = @_;
    my (undef, undef, $uid, $gid) = getpwnam $user or die "there is no user $user\n";
    return ($uid, $gid);
}

# Start a child; the block sets its descriptors up and execs.
sub spawn {
    my ($child) = @_;
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    return $pid if $pid;
    $SIG{PIPE} = 'DEFAULT';
    eval { $child->() };
    POSIX::_exit(111);
}

sub run {
    my @command = @_;
    system(@command) == 0 or die "$command[0] failed: status $?\n";
}

# Start tcpserver, with a program for each connection to a port of 127.0.0.1.
sub start_tcpserver {
    my ($port, $uid, $gid, @program) = @_;
    my @options = ('-v', '-H', '-R', '-l0', '-b', 200, '-c', 200, '-u', $uid, '-g', $gid);
    my $pid = spawn(sub {
        open STDERR, '>>', "$STATE/tcpserver.log";
        exec 'tcpserver', @options, '127.0.0.1', $port, @program;
    });
    await_server($pid, 'tcp', $port);
    return $pid;
}

# A server serves when the kernel says that its port is bound; to connect would already start a session.
sub await_server {
    my ($pid, $protocol, $port) = @_;
    my $bound = sprintf ': 0100007F:%04X 00000000:0000 %s', $port, $protocol eq 'tcp' ? '0A' : '07';
    while (index(read_file("/proc/net/$protocol"), $bound) < 0) {
        die "the server at port $port ended: status $?\n" if waitpid($pid, WNOHANG) == $pid;
        select undef, undef, undef, 0.001;
    }
}

# What runs for a case: everything but ourselves, tcpserver, and what a person started on a terminal from outside.
# A program of the case may have made a terminal for itself; it descends from us, and goes with the others.
sub case_processes {
    my (%parent, %terminal);
    for my $pid (grep { /^\d+$/ && $_ != $$ && $_ != $tcpserver } entries('/proc')) {
        my ($state, $parent, $terminal) = (read_file("/proc/$pid/stat") // '') =~ /\) (\S) (\d+) \d+ \d+ (-?\d+)/;
        $parent{$pid} = $parent if defined $state;
        $terminal{$pid} = $terminal if defined $state && $state ne 'Z';
    }
    return grep { $terminal{$_} == 0 || is_ours($_, \%parent) } keys %terminal;
}

sub is_ours {
    my ($pid, $parents) = @_;
    $pid = $parents->{$pid} while exists $parents->{$pid};
    return $pid != 0;    # whose parent is nobody of this container has come from outside
}

# Until none is left: one that was about to fork has left a child. What has lost its parent is ours to wait for.
sub end_case_processes {
    while (1) {
        1 while waitpid(-1, WNOHANG) > 0;
        my @pids = case_processes() or last;
        kill 'KILL', @pids;
        select undef, undef, undef, 0.0005;
    }
}

# ---- the control connection

sub finish { exit 0; }

sub hear { sysread $control, $received, 65536, length $received or finish(); }

sub answer {
    my ($octets) = @_;
    while (length $octets) {
        my $count = syswrite $control, $octets or finish();
        substr($octets, 0, $count) = '';
    }
}

# Wait up to `$seconds`, or until `$handle` can be read; end when the control connection has closed meanwhile.
# Returns the seconds that passed, which `select` tells on Linux (perl-base has no finer clock than a second's),
# and whether that handle can be read.
sub pause {
    my ($seconds, $handle) = @_;
    my $spent = 0;
    while (1) {
        my $bits = '';
        vec($bits, fileno $_, 1) = 1 for grep { defined } $control, $handle;
        my $beat = $seconds - $spent < $BEAT ? $seconds - $spent : $BEAT;
        my ($found, $left) = select $bits, undef, undef, $beat;
        my $now = uptime();
        my $late = $now - $ran - $beat;
        $stood_still += $late if $late > $LATE;
        $paused += $late if $late >= $PAUSE;
        $ran = $now;
        $spent += $beat - $left;
        $bits = '' if $found < 1;
        my $heard = $control && vec $bits, fileno $control, 1;
        hear() if $heard;
        return ($spent, $handle && vec $bits, fileno $handle, 1) if $found || $spent >= $seconds;
    }
}

# What we have done ourselves since we last looked counts as running.
sub was_at_work { $ran = uptime(); }

# Seconds in which this container did not run though it was to, since its start: paused, and in all, by our own
# beat and by what its control group counts as throttled (version 2, version 1).
sub still {
    shortage();    # dies of what is not qmail's doing
    die "tcpserver has ended, and nothing of ours listens at port 25\n" if $tcpserver && waitpid($tcpserver, WNOHANG);
    die "the target has reached its limit of processes, and could start no more\n" if refused() > $refused;
    my $in_all = $stood_still;
    if ((read_file('/sys/fs/cgroup/cpu.stat') // '') =~ /^throttled_usec (\d+)/m) { $in_all += $1 / 1e6; }
    elsif ((read_file('/sys/fs/cgroup/cpu/cpu.stat') // '') =~ /^throttled_time (\d+)/m) { $in_all += $1 / 1e9; }
    return ($paused, $in_all);
}

# ---- qmail-send

sub start_send {
    write_file("$STATE/send.log", '');
    run_send(0, {});
}

# Run it; its log is read from that octet on. `live` are the messages that it finds in the queue.
sub run_send {
    my ($from, $live) = @_;
    open my $log, '<', "$STATE/send.log" or die "$STATE/send.log: $!\n";
    sysseek $log, $from, 0;
    my $pid = spawn(sub {
        open STDOUT, '>>', "$STATE/send.log";
        open STDERR, '>&', \*STDOUT;
        exec "$QMAIL/bin/qmail-start", './Maildir/';
    });
    # running: number of a delivery => [number of its message, channel]
    # live: number of a message => how many deliveries on each channel were put off; found: by a qmail-send before
    # ended: numbers of messages whose end is logged, and whose files may still stand
    $send = { pid => $pid, log => $log, text => '', running => {}, live => $live, ended => {} };
    $send->{program} = program_of_send();
}

# What tells the file of the program from any other in its place; "" without one.
sub program_of_send { return join ' ', (stat "$QMAIL/bin/qmail-send")[0, 1]; }

# Take in what qmail-send has logged since; returns how many lines.
sub read_log {
    my $lines = 0;
    while (sysread $send->{log}, $send->{text}, 65536, length $send->{text}) {
        $lines += take_lines();
        $send->{text} = '' if length $send->{text} > $MOST_REPORT;    # nothing that qmail-send writes
    }
    return $lines;
}

sub take_lines {
    my $lines = 0;
    while ($send->{text} =~ s/^(.*)\n//) {
        my $line = $1;
        $lines++;
        if ($line =~ /^new msg (\d+)/) {
            $send->{live}{$1} = { local => 0, remote => 0 };
            delete $send->{ended}{$1};
        }
        elsif ($line =~ /^starting delivery (\d+): msg (\d+) to (local|remote) /) {
            $send->{running}{$1} = [$2, $3];
            $send->{live}{$2}{$3}-- if $send->{live}{$2}{found};
        }
        elsif ($line =~ /^delivery (\d+): (\w+)/) {
            my $ran = delete $send->{running}{$1};
            $send->{live}{ $ran->[0] }{ $ran->[1] }++ if $ran && $2 eq 'deferral';
        }
        elsif ($line =~ /^end msg (\d+)/) {
            delete $send->{live}{$1};
            $send->{ended}{$1} = 1;
        }
    }
    return $lines;
}

sub place { my ($kind, $id) = @_; return "$STATE/queue/$kind/" . $id % @mess_dirs . "/$id"; }

# Whether nothing is under way and each recipient that is still to be done has been put off.
sub is_idle {
    return 0 if handing_in();
    return 1 if !$send->{pid};
    read_log();
    return 0 if %{ $send->{running} } || entries("$STATE/queue/todo");
    # The log must be read after todo was seen empty: what left todo since has been logged by then. A line
    # that came in between may be the end of a message whose bounce has entered todo: look at all again.
    return 0 if read_log() || length $send->{text};
    for my $id (keys %{ $send->{live} }) {
        my $waiting = 0;
        for my $channel ('local', 'remote') {
            my $to_do = waiting($channel, $id);
            return 0 if $to_do != $send->{live}{$id}{$channel};
            $waiting += $to_do;
        }
        return 0 if !$waiting;    # all are done: its end, or a bounce, is about to come
    }
    for my $id (keys %{ $send->{ended} }) {
        return 0 if -e place('info', $id) || -e place('mess', $id);
        delete $send->{ended}{$id};
    }
    return 1;
}

# Whether a qmail-queue is at work, as one is for a moment when its client has gone.
sub handing_in { return scalar grep { (read_file("/proc/$_/comm") // '') eq "qmail-queue\n" } case_processes(); }

sub uptime { return (split / /, read_file('/proc/uptime'))[0]; }    # to a hundredth of a second

sub wait_until_idle {
    my ($limit) = @_;    # milliseconds
    my $end = uptime() + $limit / 1000;
    until (is_idle()) {
        return '0' if uptime() >= $end || ($send->{pid} && waitpid($send->{pid}, WNOHANG) != 0);
        pause($TURN);
    }
    return '1';
}

# A signal for qmail-send, ALRM or HUP, once these control files stand: pairs of name and content.
sub signal_send {
    my ($name, @files) = @_;
    die "qmail-send does not run\n" if !$send->{pid};
    while (my ($file, $content) = splice @files, 0, 2) { write_control($file, $content); }
    read_log();
    if ($name eq 'ALRM') { $_ = { local => 0, remote => 0 } for values %{ $send->{live} }; }    # all is tried again
    kill $name, $send->{pid} or die "qmail-send: $!\n";
    return;
}

# End it as a supervisor does, and start what stands in its place; what it had put off waits on.
sub restart_send {
    kill 'TERM', $send->{pid};
    was_at_work();
    for (1 .. 1000) {
        last if waitpid($send->{pid}, WNOHANG) != 0;
        pause($TURN);
    }
    my %live;
    for my $id (map { entries($_) } @mess_dirs) {
        next if !-e place('info', $id);
        $live{$id} = { found => 1, map { $_ => waiting($_, $id) } 'local', 'remote' };
    }
    run_send(-s "$STATE/send.log", \%live);
    # Until it says that it runs a signal would end it.
    for (1 .. 1000) {
        last if read_log() || waitpid($send->{pid}, WNOHANG) != 0;
        pause($TURN);
    }
}

# How many recipients of a message are still to be done on a channel.
sub waiting { my ($channel, $id) = @_; return scalar grep { /^T/ } split /\0/, read_file(place($channel, $id)) // ''; }

# ---- packages

# Do a step to qmail's packages, and tell what stands then, as `observe` does.
sub packages {
    my ($step, $limit) = @_;    # milliseconds
    my @debs = glob "$PACKAGES/*.deb" or return ('unsupported', '', '', '');
    my @seen = ('dpkg', 0, 1, '');
    my @names = map { `dpkg-deb -f $_ Package` =~ /(\S+)/ } @debs;
    if ($step eq 'begin') { @seen = begin_packages($limit, @names); }
    elsif ($step =~ /^upgrade/) {
        unlink keys %SUPERVISOR if $step ne 'upgrade';
        @seen = dpkg($limit, '--install', @debs);
        obey_supervisor() if $step eq 'upgrade';
    }
    else { @seen = dpkg($limit, "--$step", @names); }
    push @seen, installation();
    was_at_work();
    return @seen;
}

# Bring queue and alias to where the package has them, and the packages of before, if any, into the place of the
# build's own. The configuration stays.
sub begin_packages {
    my ($limit, @names) = @_;
    end_case_processes();
    chomp($control_dir = `readlink -f $QMAIL/control`);
    for my $pair (["$STATE/queue", "$QMAIL/queue"], ["$STATE/homes/alias", "$QMAIL/alias"]) {
        my ($ours, $theirs) = @$pair;
        unlink $theirs or die "$theirs: $!\n";
        run('cp', '-a', $ours, $theirs);
        remove($ours);
        symlink $theirs, $ours or die "$ours: $!\n";
    }
    my @seen = ('dpkg', 0, 1, '');
    if (my @previous = glob "$PACKAGES/previous/*.deb") {
        my %control = map { $_ => read_file("$QMAIL/control/$_") } grep { -f "$QMAIL/control/$_" } entries("$QMAIL/control");
        my $assign = read_file("$QMAIL/users/assign");
        # The packages ask for a whole name of this host, which has no network to tell it.
        my $name = (POSIX::uname())[1];
        write_file('/etc/hosts', "127.0.0.1 $name\n" . read_file('/etc/hosts'));
        dpkg($limit, '--purge', @names);
        @seen = dpkg($limit, '--install', @previous);
        return ('unsupported', 'the packages of before cannot be installed here', $seen[3], '') if $seen[1];
        empty_out("$QMAIL/control");
        write_control($_, $control{$_}) for keys %control;
        write_file("$QMAIL/users/assign", $assign);
        run("$QMAIL/bin/qmail-newu");
    }
    while (my ($program, $does) = each %SUPERVISOR) { write_file($program, "#!/bin/sh\n$does\n", 0755); }
    start_send();
    return @seen;
}

# Run dpkg without a terminal; conffiles stay as they are, as whoever upgrades unattended has it.
sub dpkg {
    my ($limit, @arguments) = @_;
    my $pid = spawn(sub {
        open STDOUT, '>', "$STATE/dpkg.log";
        open STDERR, '>&', \*STDOUT;
        $ENV{PATH} = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
        $ENV{DEBIAN_FRONTEND} = 'noninteractive';
        setpgrp;
        exec 'dpkg', '--force-unsafe-io', '--force-confdef', '--force-confold', @arguments;
    });
    was_at_work();
    my ($end, $ended) = (uptime() + $limit / 1000, 0);
    until (($ended = waitpid $pid, WNOHANG) || uptime() >= $end) { pause($TURN); }
    my $status = $? >> 8 || $? & 127;
    if (!$ended) {
        kill 'KILL', -$pid;
        waitpid $pid, 0;
        $status = 0;
    }
    return ('dpkg', $status, $ended ? 1 : 0, told("$STATE/dpkg.log"));
}

# What the maintainer scripts have asked the supervisor of qmail-send for; and one that has ended is started again.
sub obey_supervisor {
    my @asked = grep { /qmail/ } split /\n/, read_file("$STATE/services") // '';
    my ($last) = reverse @asked;
    my $gone = waitpid($send->{pid}, WNOHANG) != 0;
    restart_send() if $gone || defined $last && $last =~ /(^| )(-\w*[tuohak]\w*|term|restart|start|up|try-restart)( |$)/;
    unlink "$STATE/services";
}

# A list of kind and three values: packages, control files, programs, directories of the queue, accounts, qmail-send.
sub installation {
    my @found;
    my $form = '${Package} ${Version} ${db:Status-Want} ${db:Status-Eflag} ${db:Status-Status}\n';
    for my $line (split /\n/, `dpkg-query -W -f '$form' '*qmail*' 2>/dev/null`) {
        my ($name, $version, $status) = $line =~ /^(\S+) (\S+) (.*)/ or next;
        push @found, 'package', $name, "$version $status", '' if $status !~ /not-installed/;
    }
    push @found, map { ('control', $_, told("$control_dir/$_"), '') }
        grep { -f "$control_dir/$_" } sort(entries($control_dir));
    push @found, map { status_of("bin/$_") } map { "qmail-$_" }
        qw(clean local lspawn queue remote rspawn send smtpd start);
    push @found, map { status_of("queue/$_") } qw(lock lock/sendmutex lock/tcpto lock/trigger bounce intd pid todo);
    push @found, map { status_of("queue/$_") } map { ($_, "$_/0") } qw(mess info local remote);
    for my $name (qw(alias qmaild qmaill qmailp qmailq qmailr qmails)) {
        my (undef, undef, $uid, $gid) = getpwnam $name or next;
        push @found, 'user', "$name $uid $gid", '', '';
    }
    my $sender = waitpid($send->{pid}, WNOHANG) ? 'none' : $send->{program} eq program_of_send() ? 'new' : 'old';
    return (@found, 'sender', $sender, '', '');
}

# A file or directory below qmail's, links followed; nothing where there is none.
sub status_of {
    my ($path) = @_;
    my (undef, undef, $mode, undef, $uid, $gid) = stat "$QMAIL/$path" or return;
    my $group = scalar getgrgid($gid) // $gid;
    return ('status', $path, sprintf('%04o %s %s', $mode & 07777, scalar getpwuid($uid) // $uid, $group), '');
}

# ---- qmail-verify

# A build without VERIFY has no such program, and nobody answers at its port.
sub start_verify {
    return if !-x "$QMAIL/bin/qmail-verify";
    my $pid = spawn(sub {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $ENV{VERIFY_FASTFORWARDCDB} = "$STATE/aliases.cdb" if -e "$STATE/aliases.cdb";
        exec "$QMAIL/bin/qmail-verify";
    });
    await_server($pid, 'udp', $VERIFY_PORT);
}

# In place of qmail-verify, a socket at its port that nobody reads: it takes questions and answers none.
sub start_mute_verify {
    socket $mute, PF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
    bind $mute, sockaddr_in($VERIFY_PORT, INADDR_LOOPBACK) or die "port $VERIFY_PORT: $!\n";
}

# ---- qmail-remote

sub remote_ids { return ((ids('qmailr'))[0], scalar getgrnam 'qmail'); }

# Run qmail-remote as qmail-rspawn does: same user, directory and descriptors.
sub remote {
    my ($limit, $message, @arguments) = @_;    # milliseconds
    my ($uid, $gid) = remote_ids();
    write_file("$STATE/message", $message);
    pipe my $output, my $write or die "pipe: $!\n";
    my $pid = spawn(sub {
        open STDIN, '<', "$STATE/message";
        open STDOUT, '>&', $write;
        open STDERR, '>&', $write;
        chdir "$QMAIL/queue/mess";
        $) = "$gid $gid";    # the only group
        POSIX::setgid($gid) && POSIX::setuid($uid) && exec "$QMAIL/bin/qmail-remote", @arguments;
    });
    close $write;
    $limit /= 1000;
    my ($report, $open, $spent, $ended) = ('', 1, 0);
    while ($open && $spent < $limit) {
        my ($passed, $ready) = pause($limit - $spent, $output);
        $open = sysread $output, $report, 65536, length $report if $ready;
        $spent += $passed;
        last if length $report > $MOST_REPORT;
    }
    my $endless = length $report > $MOST_REPORT;
    # Its output is closed, so it is about to exit.
    until ($endless || ($ended = waitpid($pid, WNOHANG) == $pid) || $spent >= $limit) {
        my ($passed) = pause(0.001);
        $spent += $passed;
    }
    if (!$ended) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    my $status = $? & 127 ? -($? & 127) : $? >> 8;
    # That is qmail's doing: no report of delivery follows the words, whatever it has printed before.
    substr($report, $MOST_REPORT) = "\0cut off: qmail-remote printed more than $MOST_REPORT octets" if $endless;
    return ($report, $status, $ended ? 1 : 0, sprintf '%.6f', $spent);
}

# For measurements: each connection to $REMOTES_PORT is one qmail-remote with these arguments, the message in
# and the report out. It ends with the case.
sub remotes {
    start_tcpserver($REMOTES_PORT, remote_ids(), "$QMAIL/bin/qmail-remote", @_);
    return;
}

# Seconds of CPU that this container has had; "" where its control group cannot be read.
sub cpu {
    return $1 / 1e6 if (read_file('/sys/fs/cgroup/cpu.stat') // '') =~ /^usage_usec (\d+)/m;
    return (read_file('/sys/fs/cgroup/cpuacct/cpuacct.usage') // '') =~ /^(\d+)/ ? $1 / 1e9 : '';
}

# How many processes of this container the kernel has ended for want of memory, and how many of these, or of the
# shortages, were at the container's own limit (control groups of version 2, version 1); 0 where none tells.
sub shortages {
    my $group = '/sys/fs/cgroup';
    my $events = read_file("$group/memory.events") // '';
    return map { $events =~ /^$_ (\d+)/m ? $1 : 0 } 'oom_kill', 'oom' if $events;
    $group .= '/memory/memory';
    my ($kills) = (read_file("$group.oom_control") // '') =~ /^oom_kill (\d+)/m or return (0, 0);
    my ($most, $limit) = map { read_file("$group.$_") } 'max_usage_in_bytes', 'limit_in_bytes';
    return ($kills, $most > $limit - (1 << 20) ? $kills : 0);
}

# How often the control group has refused to start a process (version 2, version 1); 0 where none tells.
sub refused {
    my $events = read_file('/sys/fs/cgroup/pids.events') // read_file('/sys/fs/cgroup/pids/pids.events') // '';
    return $events =~ /^max (\d+)/m ? $1 : 0;
}

# What the log tells of such an end since the case was set up. At its own limit it was qmail that took all; a
# machine without memory says nothing about qmail.
sub shortage {
    my ($kills, $own) = shortages();
    return '' if $kills == $shortages[0];
    die "the machine ran out of memory, and the kernel ended a process of the target\n" if $own == $shortages[1];
    return "the kernel ended a process: the target had used up its memory\n";
}

# ---- setting a case up

# A list of kind, name, value: "user" NAME "", "password" NAME PASSWORD, "dot-qmail" NAME/FILE CONTENT.
# Makes qmail's table of users, the checkprogram's passwords, homes and Maildirs.
sub make_users {
    my @items = @_;
    my ($uid, $assign, $passwords) = (2001, '', '');
    %uids = (alias => (ids('alias'))[0]);
    @fixture_dots = ();
    while (my ($kind, $name, $value) = splice @items, 0, 3) {
        if ($kind eq 'dot-qmail') { push @fixture_dots, [$name, $value]; }
        elsif ($kind eq 'password') { $passwords .= "$name\0$value\0"; }
        else {
            my $account = "$name:$uid:$GROUP:$STATE/homes/$name";
            $assign .= "=$name:${account}:::\n+$name-:${account}:-::\n";
            $uids{$name} = $uid++;
        }
    }
    make_homes();
    write_file("$STATE/passwords", $passwords, 0400, ids('qmaild'));
    write_file("$QMAIL/users/assign", "$assign.\n");
    run("$QMAIL/bin/qmail-newu");
    return;
}

sub make_homes {
    for my $name (keys %uids) {
        my $home = "$STATE/homes/$name";
        for my $directory ($home, map { "$home/Maildir$_" } '', '/new', '/cur', '/tmp') {
            -d $directory || mkdir $directory or die "$directory: $!\n";
            chown $uids{$name}, $GROUP, $directory;
            chmod 0755, $directory;
        }
    }
    $modes = 0;
}

# Permissions in a home, in octal, or "gone": there is no such directory.
sub set_mode {
    my ($path, $mode) = @_;
    $modes = 1;
    return remove("$STATE/homes/$path") if $mode eq 'gone';
    chmod oct $mode, "$STATE/homes/$path" or die "mode of $path: $!\n";
}

# The dot-qmail files of the fixtures and these: pairs of OWNER/FILE and content, the last counts.
sub write_dots {
    for my $dot (@fixture_dots, @_) {
        my ($path, $content) = @$dot;
        my ($name) = $path =~ m{^([^/]+)/\.qmail[^/]*\z} or die "dot-qmail file $path: OWNER/.qmail-NAME\n";
        die "dot-qmail file $path: there is no user $name\n" if !defined $uids{$name};
        write_file("$STATE/homes/$path", $content, 0644, $uids{$name}, $GROUP);
    }
}

# Remove what the case before left.
sub clear {
    end_case_processes();
    $send = {};
    undef $mute;
    empty_out(@queue_dirs, "$STATE/runs", "$QMAIL/control");
    write_file("$STATE/runs/order", '', 0666);
    for my $home (map { "$STATE/homes/$_" } keys %uids) {
        empty_out(map { "$home/Maildir/$_" } 'new', 'cur', 'tmp');
        remove("$home/$_") for grep { $_ ne 'Maildir' } entries($home);    # a delivery can make anything there
    }
    make_homes() if $modes;
    unlink map { "$STATE/$_" } splice(@programs), 'message', 'send.log', 'aliases.cdb';
    rename "$QMAIL/bin/qmail-remote.real", "$QMAIL/bin/qmail-remote" if -e "$QMAIL/bin/qmail-remote.real";
    truncate "$STATE/$_", 0 for 'smtpd.log', 'tcpserver.log';
}

# Hosts that qmail-remote remembers, each [address, time-outs, seconds since the last]: in the file 64 records of
# four octets of address, the count, three unused octets, when, four unused octets.
sub write_timeouts {
    my $records = join '', map { pack 'a4Cx3Vx4', inet_aton($_->[0]), $_->[1], time - $_->[2] } @_;
    write_file("$STATE/queue/lock/tcpto", substr $records . "\0" x 1024, 0, 1024);    # qmail knows 64 hosts
}

sub timeouts {
    my @records = map { [unpack 'a4Cx3V', $_] } unpack '(a16)*', read_file("$STATE/queue/lock/tcpto") // '';
    return map { ('timeouts', inet_ntoa($_->[0]), $_->[1], time - $_->[2]) } grep { $_->[1] } @records;
}

sub write_control {
    my ($name, $content) = @_;
    die "control file $name: a name without a directory\n" if $name =~ m{/} || $name eq '';
    write_file("$QMAIL/control/$name", $content);
    run("$QMAIL/bin/qmail-newmrh") if $name eq 'morercpthosts';
}

sub write_resolver { ($resolver) = @_; write_file('/etc/resolv.conf', $resolver); }

# A list of kind, name, value: what the case finds; whatever is not named is gone.
sub prepare {
    my @items = @_;
    my (@dots, @starts, @hosts, @modes);
    clear();
    @shortages = shortages();
    $refused = refused();
    while (my ($kind, $name, $value) = splice @items, 0, 3) {
        if ($kind eq 'control') {
            write_control($name, $value);
        }
        elsif ($kind eq 'program') {
            write_file("$STATE/$name", $value, 0755);
            push @programs, $name;
        }
        elsif ($kind eq 'aliases') { write_file("$STATE/aliases.cdb", $value); }
        elsif ($kind eq 'dot-qmail') { push @dots, [$name, $value]; }
        elsif ($kind eq 'mode') { push @modes, [$name, $value]; }
        elsif ($kind eq 'resolver') { write_resolver("nameserver 127.0.0.1\noptions $value\n"); }
        elsif ($kind eq 'remote-program') {
            rename "$QMAIL/bin/qmail-remote", "$QMAIL/bin/qmail-remote.real" or die "qmail-remote: $!\n";
            symlink "$STATE/qmail-remote", "$QMAIL/bin/qmail-remote" or die "qmail-remote: $!\n";
        }
        elsif ($kind eq 'timeouts') { push @hosts, [$name, split / /, $value]; }
        elsif ($kind eq 'delivering') { push @starts, \&start_send; }
        elsif ($kind eq 'verifying') { push @starts, $value eq 'mute' ? \&start_mute_verify : \&start_verify; }
        else { die "prepare: unknown item $kind\n"; }
    }
    write_dots(@dots);
    set_mode(@$_) for @modes;
    write_timeouts(@hosts);
    $_->() for @starts;
    return;
}

# ---- what can be seen

sub nul_fields { my ($text, $letter) = @_; return map { substr $_, 1 } grep { /^$letter/ } split /\0/, $text; }

# The messages that are accepted, in the order of their arrival. Such a message is in todo until qmail-send,
# where that runs, has taken it over into info, local and remote.
sub queued {
    my @found;
    for my $id (map { entries($_) } @mess_dirs) {
        my $envelope = told("$STATE/queue/todo/$id");
        if (!defined $envelope) {
            $envelope = told(place('info', $id));
            next if !defined $envelope;    # not yet accepted, or already at its end
            $envelope .= told(place($_, $id)) // '' for 'local', 'remote';
        }
        my $octets = told(place('mess', $id));
        next if !defined $octets;
        my ($sender) = nul_fields($envelope, 'F');
        my $recipients = join '', map { "$_\0" } nul_fields($envelope, 'T');
        my ($order) = $octets =~ /\(qmail (\d+) /;
        push @found, [$order || 0, 'queued', $sender, $recipients, $octets];
    }
    return map { @$_[1 .. 4] } sort { $a->[0] <=> $b->[0] } @found;
}

# The messages in the Maildirs, each user's in the order of arrival, as the names tell: TIME.PID.HOST.
sub delivered {
    my @found;
    for my $name (sort keys %uids) {
        my $new = "$STATE/homes/$name/Maildir/new";
        my @files = map { my ($time, $pid) = /^(\d+)\.\D*(\d+)/; [$time || 0, $pid || 0, $_] } entries($new);
        for my $file (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @files) {
            push @found, 'mail', $name, told("$new/$file->[2]"), '';
        }
    }
    return @found;
}

# The files of messages in the queue, and those in homes; no dot-qmail files, which the case itself has written.
# A file is told by its path, its mode, user and group, and, where nothing else tells it, what it holds.
sub files {
    my @found;
    for my $directory (sort @queue_dirs) {
        my ($kind) = $directory =~ m{/queue/(\w+)};
        for my $file (sort { length $a <=> length $b || $a cmp $b } entries($directory)) {
            push @found, file("$directory/$file", $kind ne 'mess' && $kind ne 'pid');
        }
    }
    for my $name (sort keys %uids) {
        push @found, map { files_in("$STATE/homes/$name/$_") }
            sort grep { !/^\.qmail/ } entries("$STATE/homes/$name");
    }
    return @found;
}

# Of a Maildir, what is in new is told as mail.
sub files_in {
    my ($path) = @_;
    return map { files_in("$path/$_") } sort(entries($path)) if -d $path && !-l $path;
    return file($path, $path !~ m{/homes/\w+/Maildir/new/});
}

sub file {
    my ($path, $with_octets) = @_;
    my (undef, undef, $mode, undef, $uid, $gid) = lstat $path or return;    # it has gone meanwhile
    my $octets = $with_octets && -f _ ? told($path) // '' : '';
    my $status = sprintf '%04o %s %s', $mode & 07777, account($uid), scalar getgrgid($gid) // $gid;
    return ('file', substr($path, length "$STATE/"), $status, $octets);
}

# The name of a user, those with homes first: the system knows only qmail's own.
sub account {
    my ($uid) = @_;
    my ($name) = grep { $uids{$_} == $uid } keys %uids;
    return $name // getpwuid($uid) // $uid;
}

# The sessions of this case as tcpserver logs them, in order: [process id, the client's port, how it ended as
# wait(2) has it]. Those of the case before, which we have killed, end only; they did not begin in this log.
sub sessions {
    my (@begun, %of);
    for (split /\n/, read_file("$STATE/tcpserver.log") // '') {
        if (/^tcpserver: ok (\d+) \S*:25 \S*:(\d+)$/) { push @begun, $of{$1} = [$1, $2, '']; }
        elsif (/^tcpserver: end (\d+) status (\d+)/ && $of{$1}) { $of{$1}[2] = $2; }
    }
    return @begun;
}

# What a process holds: KiB of memory, descriptors, children, those not waited for too. Memory is what it has taken
# for itself: how much of its program the kernel has mapped differs from run to run.
sub held {
    my ($pid) = @_;
    my $status = read_file("/proc/$pid/status") // '';
    my ($memory) = map { $status =~ /^$_:\s+(\d+)/m } 'RssAnon', 'VmRSS';    # the first of them that there is
    my $children = grep { (read_file("/proc/$_/stat") // '') =~ /\) \S $pid / } grep { /^\d+$/ } entries('/proc');
    return join ' ', $memory // 0, scalar(() = entries("/proc/$pid/fd")), $children;
}

# Each session: its port, process id and end, and of one that runs what it holds. One whose connection is not
# among those still open is about to end, so it is waited for.
sub session_items {
    my %open = map { $_ => 1 } @_;
    my ($spent, @sessions) = (0);
    my $ending = %open ? $ENDING_BESIDE : $ENDING;
    while (1) {
        @sessions = sessions();
        last if $spent > $ending || !grep { $_->[2] eq '' && !$open{ $_->[1] } } @sessions;
        $spent += (pause(0.001))[0];
    }
    return map {
        my ($pid, $port, $status) = @$_;
        ('session', $port, "$pid $status", $status eq '' ? held($pid) : '');
    } @sessions;
}

# A list of kind and three values. Given are the ports of the clients whose connections are open.
sub observe {
    my @open = @_;
    my $asks = read_file('/etc/resolv.conf') // 'nothing';
    die "somebody has changed /etc/resolv.conf: $asks\n" if $asks ne $resolver;
    $room = $MOST_SEEN;
    my @sessions = session_items(@open);
    my @seen = (queued(), delivered(), @sessions);
    # Each is told whole or not at all: it is read by its fields.
    for my $run (map { "$STATE/runs/$_" } split /\n/, read_file("$STATE/runs/order") // '') {
        push @seen, 'hook', map { told($_) // '' } $run, "$run.input", "$run.envelope" if (-s $run // 0) <= $room;
    }
    push @seen, files(), timeouts();
    push @seen, 'home', $QMAIL, '', '' if $QMAIL ne '/var/lib/qmail';    # a record says nothing of where Debian has it
    return (@seen, 'log', join('', (map { told("$STATE/$_") // '' } 'smtpd.log', 'send.log'), shortage()), '', '');
}

# ---- life

sub set_up {
    umask 022;
    chdir '/';
    open STDIN, '<', '/dev/null';
    %ENV = (PATH => "$QMAIL/bin:/usr/local/bin:/usr/bin:/bin");
    chmod 0755, $STATE;
    my ($uid, $gid) = ids('qmaild');
    run('cp', '-a', $PRISTINE, "$STATE/queue");
    @mess_dirs = glob "$STATE/queue/mess/*";
    @queue_dirs = (@mess_dirs, glob "$STATE/queue/{info,local,remote}/* $STATE/queue/{bounce,intd,pid,todo}");
    mkdir "$STATE/$_" for 'homes', 'runs';
    chmod 0777, "$STATE/runs";    # programs run as whoever qmail makes them
    run('rm', '-rf', "$QMAIL/alias");
    symlink "$STATE/homes/alias", "$QMAIL/alias" or die "$QMAIL/alias: $!\n";
    write_file("$STATE/smtpd.log", '', 0644, $uid, $gid);
    write_resolver("nameserver 127.0.0.1\n");
    $tcpserver = start_tcpserver(25, $uid, $gid, '/bin/sh', "$STATE/session");
}

sub serve {
    my %operations = (
        users => \&make_users, prepare => \&prepare, remote => \&remote, remotes => \&remotes,
        wait_until_idle => \&wait_until_idle, signal => \&signal_send, observe => \&observe,
        packages => \&packages, cpu => \&cpu, still => \&still,
    );
    while (1) {
        my ($content, $end) = first_list(\$received);
        if (!defined $end) { pause(1); next; }
        substr($received, 0, $end) = '';
        my @answer = eval {
            my ($name, @items) = decode($content);
            my $operation = $operations{$name} or die "there is no operation $name\n";
            ('ok', $operation->(@items));
        };
        @answer = ('failure', $@) if $@;
        answer(encode(@answer));
    }
}

sub main {
    $SIG{TERM} = $SIG{INT} = \&finish;
    $SIG{PIPE} = 'IGNORE';
    set_up();
    socket my $listener, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
    bind $listener, sockaddr_in($CONTROL_PORT, INADDR_LOOPBACK) or die "port $CONTROL_PORT: $!\n";
    listen $listener, 5;
    my (undef, $called) = pause($PATIENCE, $listener);
    finish() if !$called;
    accept $control, $listener or die "accept: $!\n";
    close $listener;
    setsockopt $control, IPPROTO_TCP, TCP_NODELAY, 1;
    serve();
}
