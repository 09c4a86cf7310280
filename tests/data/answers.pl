# Prints what dns.pl would send to each question on standard input.
require "$ARGV[0]/dns.pl"; read_answers();
while (<STDIN>) {
    chomp; my ($over, $hex) = split / /;
    my ($octets, $entry) = answer_to(pack('H*', $hex), $over);
    print join(' ', defined $octets ? unpack 'H*', $octets : '-',
        map { defined $entry->{$_} ? "$_=$entry->{$_}" : () } 'delay', 'first', 'then'), "\n";
}
