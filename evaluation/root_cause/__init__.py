"""Experiment 3: does the ranker name the cause of incidents it has not learned from?"""
